using Espalier.Artifacts;
using Espalier.Artifacts.Uploads;
using Espalier.Contracts;
using Espalier.Datasets.Corpora;
using Espalier.Datasets.Packages;

namespace Espalier.Datasets.Sources;

/// <summary>Opens what a <see cref="TextSource"/> names.</summary>
internal sealed class SourceReader(ArtifactStore artifacts, PackageCache packages, DirectoryInfo scratch, ReportProgress report, Action<string> log)
    : IDisposable
{
    private readonly List<DirectoryInfo> _restored = [];

    private const string Corpus = "corpus", File = "file", Folder = "dir", JsonLines = "jsonl", Parquet = "parquet", Registered = "dataset";
    private const string OwnLicence = "the user's own text", OwnDomain = "text";
    private static readonly string[] Forms = [Corpus, File, Folder, JsonLines, Parquet, Registered];

    /// <summary>The text of a source, its domains under the names that the source gives them.</summary>
    /// <exception cref="UserInputException">The source is wrong, or cannot be fetched.</exception>
    public async Task<SourceText> OpenAsync(TextSource source, CancellationToken cancellationToken)
    {
        var (form, rest) = Parse(source);
        var field = source.Field ?? JsonLinesText.DefaultField;
        if (UploadOf(form, rest) is { } upload)
            rest = await RestoreAsync(upload, cancellationToken).ConfigureAwait(false);
        return form switch
        {
            Corpus => await new CorpusText(packages, report, log).LoadAsync(CorpusCatalog.Find(rest), cancellationToken).ConfigureAwait(false),
            File => Own(form, rest, UserText.ReadFile(rest, cancellationToken).ToAsyncEnumerable()),
            JsonLines => Own(form, rest, JsonLinesText.Read(rest, field, cancellationToken).ToAsyncEnumerable()),
            Parquet => Own(form, rest, ParquetText.ReadAsync(rest, field, cancellationToken)),
            Registered => await RegisteredText.OpenAsync(
                artifacts, source.From, source.Root ?? throw new UserInputException($"{source.From} was not looked up in a registry: plan the run again."),
                cancellationToken).ConfigureAwait(false),
            _ => Own(form, rest, UserText.ReadFolder(rest, log, cancellationToken).ToAsyncEnumerable()),
        };
    }

    /// <summary>Looks at the beginning of a source; returns the names of its domains.</summary>
    /// <exception cref="UserInputException">There is no such source, or its records have no such field.</exception>
    public static IReadOnlyList<string> Examine(TextSource source, CancellationToken cancellationToken)
    {
        var (form, rest) = Parse(source);
        var field = source.Field ?? JsonLinesText.DefaultField;
        if (form == Corpus)
            return [.. CorpusCatalog.Find(rest).Domains.Select(d => d.Name)];
        if (UploadOf(form, rest) is not null)
            return [OwnDomain]; // looked at before it was sent
        if (form == JsonLines && !JsonLinesText.Read(rest, field, cancellationToken).Any())
            throw new UserInputException(Empty(rest));
        if (form == Parquet)
            ParquetText.Check(rest, field);
        return [OwnDomain];
    }

    /// <summary>A text that changes whenever the content behind a source does.</summary>
    public static string Fingerprint(TextSource source, CancellationToken cancellationToken)
    {
        var (form, rest) = Parse(source);
        if (UploadOf(form, rest) is { } upload)
            return upload.Fingerprint.Hex;
        return form switch
        {
            Corpus => string.Join('\n', CorpusCatalog.Find(rest).Domains.SelectMany(d => d.Parts).Select(p => p.Package?.ToString() ?? rest).Distinct()),
            Folder => UserText.FingerprintFolder(rest, cancellationToken),
            _ => OwnFile.Digest(rest, cancellationToken),
        };
    }

    /// <summary>Deletes what was brought here to be read.</summary>
    public void Dispose() => _restored.ForEach(folder => folder.Delete(recursive: true));

    private async Task<string> RestoreAsync(UploadReference upload, CancellationToken cancellationToken)
    {
        var folder = scratch.CreateSubdirectory($"upload-{Guid.NewGuid():n}");
        _restored.Add(folder);
        report($"fetching {upload.Name}", 0, 0, "bytes");
        return await new UploadStore(artifacts.Blobs, TimeProvider.System).RestoreAsync(upload, folder, cancellationToken).ConfigureAwait(false);
    }

    private static UploadReference? UploadOf(string form, string rest) =>
        form is not (Corpus or Registered) && UploadReference.TryParse(rest, out var upload) ? upload : null;

    private static SourceText Own(string form, string path, IAsyncEnumerable<Document> documents) =>
        new(form, [new DomainText(OwnDomain, OwnLicence, [], documents) { WhenEmpty = Empty(path) }], []);

    private static string Empty(string path) => $"{path} holds no text: it is empty or only white space.";

    private static (string Form, string Name) Parse(TextSource source)
    {
        var text = source.From;
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var form = colon < 0 ? text : text[..colon];
        if (colon < 0 || !Forms.Contains(form))
            throw new UserInputException(
                $"'{text}' is not a data source: expected corpus:NAME, file:PATH, dir:PATH, jsonl:PATH, parquet:PATH or dataset:NAME@VERSION; "
                    + NearestWord.Hint(form, Forms));
        return text.Length > colon + 1 ? (form, text[(colon + 1)..]) : throw new UserInputException($"'{text}' names nothing after the colon.");
    }
}
