using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Datasets;

/// <summary>
/// A dataset artifact, open for reading: <c>train/DOMAIN.jsonl</c>, <c>validation/...</c>, <c>held-out/...</c> with one
/// document a line, and <c>multiple-choice/NAME.jsonl</c>.
/// </summary>
public sealed class TextDataset
{
    private const string Extension = ".jsonl";
    private const string MultipleChoiceFolder = "multiple-choice";

    private readonly ArtifactStore _artifacts;
    private readonly Manifest _manifest;

    private TextDataset(ArtifactStore artifacts, ManifestRef reference, Manifest manifest)
    {
        _artifacts = artifacts;
        _manifest = manifest;
        Reference = reference;
        Properties = manifest.Properties.Deserialize<DatasetProperties>(WireJson.Options)
            ?? throw new UserInputException($"The dataset {reference.Root.Short} has no properties; make it again with the stage '{StageKinds.Dataset}'.");
    }

    /// <summary>The artifact.</summary>
    public ManifestRef Reference { get; }

    /// <summary>Sizes, sources and licences.</summary>
    public DatasetProperties Properties { get; }

    /// <summary>Name of the corpus that it is made of; null for other sources.</summary>
    public string? CorpusName => Properties.Source.Split(':') is ["corpus", var name] ? name : null;

    /// <summary>Names of the multiple-choice sets, in ordinal order.</summary>
    public IReadOnlyList<string> MultipleChoiceNames => NamesIn(MultipleChoiceFolder);

    /// <summary>Opens a dataset artifact.</summary>
    /// <exception cref="UserInputException">The artifact is not a dataset.</exception>
    public static async Task<TextDataset> OpenAsync(ArtifactStore artifacts, ManifestRef reference, CancellationToken cancellationToken)
    {
        var manifest = await artifacts.ReadAsync(reference.Root, cancellationToken).ConfigureAwait(false);
        return manifest.Kind == ArtifactKind.Dataset
            ? new TextDataset(artifacts, reference, manifest)
            : throw new UserInputException($"The artifact {reference.Root.Short} is a {manifest.Kind}, not a dataset.");
    }

    /// <summary>Domains that have text in a split, in ordinal order.</summary>
    /// <param name="split">One of <see cref="DatasetSplits"/>.</param>
    public IReadOnlyList<string> Domains(string split) =>
        [.. DatasetSplits.Members(split).SelectMany(NamesIn).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>UTF-8 bytes of text in a split, of one domain or of all.</summary>
    public long TextBytes(string split, string? domain = null) =>
        Properties.Domains.Where(d => domain is null || d.Key == domain)
            .Sum(d => DatasetSplits.Members(split).Sum(s => d.Value.Splits.TryGetValue(s, out var size) ? size.SizeBytes : 0));

    /// <summary>The documents of one domain, in stored order.</summary>
    public async IAsyncEnumerable<Document> ReadAsync(string split, string domain, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var member in DatasetSplits.Members(split).Where(s => NamesIn(s).Contains(domain)))
        {
            await foreach (var document in ReadLinesAsync<Document>($"{member}/{domain}{Extension}", cancellationToken).ConfigureAwait(false))
                yield return document;
        }
    }

    /// <summary>The questions of one multiple-choice set.</summary>
    public async Task<IReadOnlyList<MultipleChoiceItem>> ReadMultipleChoiceAsync(string name, CancellationToken cancellationToken)
    {
        var items = new List<MultipleChoiceItem>();
        await foreach (var item in ReadLinesAsync<MultipleChoiceItem>($"{MultipleChoiceFolder}/{name}{Extension}", cancellationToken).ConfigureAwait(false))
            items.Add(item);
        return items;
    }

    /// <summary>
    /// Text to learn a vocabulary from: up to <paramref name="bytesPerDomain"/> bytes of every domain's training documents,
    /// taken evenly over the domain, so that vocabulary and domains do not depend on file order.
    /// </summary>
    public async Task<IReadOnlyList<string>> SampleTrainingTextAsync(long bytesPerDomain, CancellationToken cancellationToken)
    {
        var texts = new List<string>();
        foreach (var domain in Domains(DatasetSplits.Train))
        {
            // Takes a document whenever the share taken so far is behind, so the sample spreads over the whole file.
            var share = Math.Min(1.0, (double)bytesPerDomain / Math.Max(1, TextBytes(DatasetSplits.Train, domain)));
            double seen = 0, taken = 0;
            await foreach (var document in ReadAsync(DatasetSplits.Train, domain, cancellationToken).ConfigureAwait(false))
            {
                var size = document.SizeBytes();
                seen += size;
                if (taken + size > seen * share && taken > 0)
                    continue;
                taken += size;
                texts.Add(document.Text);
            }
        }
        return texts;
    }

    internal static string PathOf(string split, string domain) => $"{split}/{domain}{Extension}";

    internal static string MultipleChoicePath(string name) => $"{MultipleChoiceFolder}/{name}{Extension}";

    private List<string> NamesIn(string folder) =>
        [.. _manifest.Files.Select(f => f.Path)
            .Where(p => p.StartsWith(folder + "/", StringComparison.Ordinal) && p.EndsWith(Extension, StringComparison.Ordinal))
            .Select(p => p[(folder.Length + 1)..^Extension.Length])
            .Order(StringComparer.Ordinal)];

    private async IAsyncEnumerable<T> ReadLinesAsync<T>(string path, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var entry = _manifest.Files.FirstOrDefault(f => f.Path == path)
            ?? throw new UserInputException($"The dataset {Reference.Root.Short} has no {path}.");
        var stream = await _artifacts.Blobs.OpenReadAsync(entry.Blob, 0, null, cancellationToken).ConfigureAwait(false);
        using var reader = new StreamReader(stream, Encoding.UTF8, detectEncodingFromByteOrderMarks: false, bufferSize: 1 << 16);
        for (var line = 1; await reader.ReadLineAsync(cancellationToken).ConfigureAwait(false) is { } text; line++)
            yield return Parse<T>(text, path, line);
    }

    private T Parse<T>(string text, string path, int line)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(text, WireJson.Options) ?? throw new JsonException("null");
        }
        catch (JsonException exception)
        {
            throw new UserInputException($"The dataset {Reference.Root.Short} is damaged at {path}, line {line}: {exception.Message}", exception);
        }
    }
}
