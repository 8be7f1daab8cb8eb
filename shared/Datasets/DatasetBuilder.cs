using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Artifacts;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Datasets.Corpora;
using Espalier.Datasets.Packages;
using Espalier.Datasets.Questions;
using Espalier.Datasets.Sources;

namespace Espalier.Datasets;

/// <summary>Turns a source into a dataset artifact: fetch, clean, drop duplicates, split by document, add questions, publish.</summary>
public sealed class DatasetBuilder(ArtifactStore artifacts, PackageCache packages, ReportProgress report, Action<string> log)
{
    private static readonly string[] Forms = ["corpus", "file", "dir", "jsonl"];

    private static readonly JsonWriterOptions LineOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Names of the corpora, with a sentence each.</summary>
    public static IReadOnlyList<(string Name, string Description)> Corpora { get; } = [.. CorpusCatalog.All.Select(c => (c.Name, c.Description))];

    /// <summary>Makes the dataset of a source.</summary>
    /// <param name="source"><c>corpus:NAME</c>, <c>file:PATH</c>, <c>dir:PATH</c> or <c>jsonl:PATH</c>.</param>
    /// <param name="limitBytes">At most so many bytes of text per domain; null for all.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <exception cref="UserInputException">The source is wrong, empty, or cannot be fetched.</exception>
    public async Task<ManifestRef> BuildAsync(string source, long? limitBytes, CancellationToken cancellationToken)
    {
        var text = await LoadAsync(source, cancellationToken).ConfigureAwait(false);
        var files = new List<FileEntry>();
        var domains = new SortedDictionary<string, DomainProperties>(StringComparer.Ordinal);
        var heldOut = new Dictionary<string, IReadOnlyList<Document>>();
        foreach (var domain in text.Domains)
        {
            report("storing text", domains.Count, text.Domains.Count, "domains");
            var documents = limitBytes is { } limit ? SizeLimit.Apply(domain.Documents, limit) : domain.Documents;
            var splits = SplitRule.Split(domain.Name, documents);
            foreach (var (split, members) in splits.Where(s => s.Value.Count > 0))
                files.Add(await StoreAsync(TextDataset.PathOf(split, domain.Name), members, WriteDocument, cancellationToken).ConfigureAwait(false));
            heldOut[domain.Name] = splits[DatasetSplits.HeldOut];
            domains[domain.Name] = Describe(domain, splits);
            log(Summary(domain.Name, domains[domain.Name]));
        }

        var questions = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var (name, items) in Questions(text, heldOut).Where(q => q.Items.Count > 0))
        {
            files.Add(await StoreAsync(TextDataset.MultipleChoicePath(name), items, WriteItem, cancellationToken).ConfigureAwait(false));
            questions[name] = items.Count;
        }
        report("storing text", text.Domains.Count, text.Domains.Count, "domains");

        var properties = new DatasetProperties { Source = text.Source, Domains = domains, MultipleChoice = questions };
        return await artifacts.PublishAsync(
            new Manifest
            {
                Kind = ArtifactKind.Dataset,
                Files = [.. files.OrderBy(f => f.Path, StringComparer.Ordinal)],
                Properties = (JsonObject)JsonSerializer.SerializeToNode(properties, WireJson.Options)!,
            },
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A text that changes whenever the content behind a source does, for step keys.</summary>
    /// <param name="source">As for <see cref="BuildAsync"/>.</param>
    /// <param name="cancellationToken">Stops the reading of the user's files.</param>
    /// <exception cref="UserInputException">The source does not exist, or cannot be read.</exception>
    public static string Fingerprint(string source, CancellationToken cancellationToken)
    {
        var (form, rest) = Parse(source);
        return form switch
        {
            "corpus" => string.Join('\n', CorpusCatalog.Find(rest).Domains.SelectMany(d => d.Parts).Select(p => p.Package?.ToString() ?? rest).Distinct()),
            "file" or "jsonl" => OwnFile.Digest(rest, cancellationToken),
            _ => UserText.FingerprintFolder(rest, cancellationToken),
        };
    }

    private async Task<SourceText> LoadAsync(string source, CancellationToken cancellationToken)
    {
        var (form, rest) = Parse(source);
        return form switch
        {
            "corpus" => await new CorpusText(packages, report, log).LoadAsync(CorpusCatalog.Find(rest), cancellationToken).ConfigureAwait(false),
            "file" => UserText.FromFile(rest),
            "jsonl" => JsonLinesText.FromFile(rest, cancellationToken),
            _ => UserText.FromFolder(rest, log, cancellationToken),
        };
    }

    private static (string Form, string Name) Parse(string source)
    {
        var colon = source.IndexOf(':', StringComparison.Ordinal);
        var form = colon < 0 ? source : source[..colon];
        if (colon < 0 || !Forms.Contains(form))
            throw new UserInputException(
                $"'{source}' is not a data source: expected corpus:NAME, file:PATH, dir:PATH or jsonl:PATH; {NearestWord.Hint(form, Forms)}");
        return source.Length > colon + 1 ? (form, source[(colon + 1)..]) : throw new UserInputException($"'{source}' names nothing after the colon.");
    }

    private static IEnumerable<(string Name, IReadOnlyList<MultipleChoiceItem> Items)> Questions(
        SourceText text, IReadOnlyDictionary<string, IReadOnlyList<Document>> heldOut)
    {
        yield return ("continuation", ContinuationQuestions.Build(heldOut));
        var ids = heldOut.ToDictionary(d => d.Key, d => (IReadOnlySet<string>)d.Value.Select(x => x.Id).ToHashSet());
        foreach (var questions in text.Questions)
            yield return (questions.Name, ItemChoice.Pick(questions.Build(ids)));
    }

    private static DomainProperties Describe(DomainText domain, IReadOnlyDictionary<string, IReadOnlyList<Document>> splits) => new()
    {
        Licence = domain.Licence,
        Packages = domain.Packages,
        Duplicates = domain.Duplicates,
        Splits = splits.ToDictionary(s => s.Key, s => new SplitSize(s.Value.Count, s.Value.Sum(d => (long)d.SizeBytes()))),
    };

    private static string Summary(string domain, DomainProperties properties) =>
        $"{domain}: " + string.Join(", ", properties.Splits.Select(s =>
            FormattableString.Invariant($"{s.Key} {s.Value.Documents:N0} documents, {s.Value.SizeBytes:N0} bytes")))
            + FormattableString.Invariant($"; {properties.Duplicates:N0} duplicates left out");

    private async Task<FileEntry> StoreAsync<T>(string path, IReadOnlyList<T> items, Action<Utf8JsonWriter, T> write, CancellationToken cancellationToken)
    {
        var buffer = new ArrayBufferWriter<byte>(1 << 20);
        using (var writer = new Utf8JsonWriter(buffer, LineOptions))
        {
            foreach (var item in items)
            {
                write(writer, item);
                writer.Flush();
                buffer.Write("\n"u8);
                writer.Reset();
            }
        }
        var receipt = await artifacts.Blobs.PutAsync(buffer.WrittenMemory, cancellationToken).ConfigureAwait(false);
        return new FileEntry(path, receipt.Digest, receipt.SizeBytes);
    }

    private static void WriteDocument(Utf8JsonWriter writer, Document document)
    {
        writer.WriteStartObject();
        writer.WriteString("id", document.Id);
        writer.WriteString("text", document.Text);
        writer.WriteEndObject();
    }

    private static void WriteItem(Utf8JsonWriter writer, MultipleChoiceItem item)
    {
        writer.WriteStartObject();
        writer.WriteString("id", item.Id);
        writer.WriteString("context", item.Context);
        writer.WriteStartArray("choices");
        foreach (var choice in item.Choices)
            writer.WriteStringValue(choice);
        writer.WriteEndArray();
        writer.WriteNumber("answer", item.Answer);
        writer.WriteEndObject();
    }
}
