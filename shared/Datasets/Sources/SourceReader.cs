using Espalier.Contracts;
using Espalier.Datasets.Corpora;
using Espalier.Datasets.Packages;

namespace Espalier.Datasets.Sources;

/// <summary>Opens what a <see cref="TextSource"/> names.</summary>
internal sealed class SourceReader(PackageCache packages, ReportProgress report, Action<string> log)
{
    private const string Corpus = "corpus", File = "file", Folder = "dir", JsonLines = "jsonl", Parquet = "parquet", OwnLicence = "the user's own text";
    private const string OwnDomain = "text";
    private static readonly string[] Forms = [Corpus, File, Folder, JsonLines, Parquet];

    /// <summary>The text of a source, its domains under the names that the source gives them.</summary>
    /// <exception cref="UserInputException">The source is wrong, or cannot be fetched.</exception>
    public async Task<SourceText> OpenAsync(TextSource source, CancellationToken cancellationToken)
    {
        var (form, rest) = Parse(source);
        var field = source.Field ?? JsonLinesText.DefaultField;
        return form switch
        {
            Corpus => await new CorpusText(packages, report, log).LoadAsync(CorpusCatalog.Find(rest), cancellationToken).ConfigureAwait(false),
            File => Own(form, rest, UserText.ReadFile(rest, cancellationToken).ToAsyncEnumerable()),
            JsonLines => Own(form, rest, JsonLinesText.Read(rest, field, cancellationToken).ToAsyncEnumerable()),
            Parquet => Own(form, rest, ParquetText.ReadAsync(rest, field, cancellationToken)),
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
        return form switch
        {
            Corpus => string.Join('\n', CorpusCatalog.Find(rest).Domains.SelectMany(d => d.Parts).Select(p => p.Package?.ToString() ?? rest).Distinct()),
            Folder => UserText.FingerprintFolder(rest, cancellationToken),
            _ => OwnFile.Digest(rest, cancellationToken),
        };
    }

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
                $"'{text}' is not a data source: expected corpus:NAME, file:PATH, dir:PATH, jsonl:PATH or parquet:PATH; {NearestWord.Hint(form, Forms)}");
        return text.Length > colon + 1 ? (form, text[(colon + 1)..]) : throw new UserInputException($"'{text}' names nothing after the colon.");
    }
}
