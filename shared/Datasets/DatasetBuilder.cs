using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Artifacts;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Datasets.Building;
using Espalier.Datasets.Corpora;
using Espalier.Datasets.Packages;
using Espalier.Datasets.Selection;
using Espalier.Datasets.Sources;

namespace Espalier.Datasets;

/// <summary>
/// Turns sources into a dataset artifact: fetch, clean, drop duplicates, split by document, add questions, publish. Text goes through a
/// scratch file: what is in memory does not grow with it, but for some bytes a document.
/// </summary>
/// <param name="artifacts">Where the dataset goes.</param>
/// <param name="packages">Packages that corpora come from.</param>
/// <param name="scratch">Folder with room for the text once more.</param>
/// <param name="report">Takes progress.</param>
/// <param name="log">Takes lines for the log.</param>
public sealed class DatasetBuilder(ArtifactStore artifacts, PackageCache packages, DirectoryInfo scratch, ReportProgress report, Action<string> log)
{

    /// <summary>Names of the corpora, with a sentence each.</summary>
    public static IReadOnlyList<(string Name, string Description)> Corpora { get; } = [.. CorpusCatalog.All.Select(c => (c.Name, c.Description))];

    /// <summary>Makes a dataset.</summary>
    /// <exception cref="UserInputException">A source is wrong, empty, or cannot be fetched; or its text is contaminated, where that is refused.</exception>
    public async Task<DatasetBuild> BuildAsync(DatasetRequest request, CancellationToken cancellationToken)
    {
        using var spool = new DocumentSpool(scratch.FullName);
        using var reader = new SourceReader(artifacts, packages, scratch, report, log);
        var (domains, sources) = await ReadAsync(request, reader, spool, cancellationToken).ConfigureAwait(false);
        foreach (var domain in domains)
            Split(spool, domain, request.LimitBytes);
        var questions = QuestionSets.Make(spool, domains, sources);
        var check = new TrainingCheck(artifacts, spool, domains, log);
        var contaminated = await check.RunAsync(request, questions, cancellationToken).ConfigureAwait(false);
        foreach (var domain in domains)
            Select(spool, domain, request, cancellationToken);

        var files = new List<FileEntry>();
        foreach (var domain in domains)
        {
            report("storing text", domains.IndexOf(domain), domains.Count, "domains");
            foreach (var split in DatasetSplits.Stored.Where(s => domain.SizeOf(spool, s).Documents > 0))
            {
                var documents = spool.Read(domain.Documents, d => DomainDraft.IsIn(spool, d, split));
                files.Add(await JsonLinesBlob.StoreAsync(
                    artifacts.Blobs, TextDataset.PathOf(split, domain.Name), documents, JsonLinesBlob.WriteDocument, cancellationToken).ConfigureAwait(false));
            }
            log(domain.Summary(spool));
        }
        foreach (var (name, items) in questions)
        {
            files.Add(await JsonLinesBlob.StoreAsync(
                artifacts.Blobs, TextDataset.MultipleChoicePath(name), items, JsonLinesBlob.WriteItem, cancellationToken).ConfigureAwait(false));
        }
        report("storing text", domains.Count, domains.Count, "domains");
        var described = domains.ToDictionary(d => d.Name, d => d.Describe(spool, request));
        var properties = new DatasetProperties
        {
            Source = string.Join(" + ", sources.Select(s => s.Text.Source)),
            Domains = new SortedDictionary<string, DomainProperties>(described, StringComparer.Ordinal),
            MultipleChoice = new SortedDictionary<string, int>(questions.ToDictionary(q => q.Key, q => q.Value.Count), StringComparer.Ordinal),
            Mixture = SourceWeights.ByDomain(request.Sources, domains, d => d.SizeOf(spool, DatasetSplits.Train).SizeBytes),
        };
        var reference = await artifacts.PublishAsync(
            new Manifest
            {
                Kind = ArtifactKind.Dataset,
                Files = [.. files.OrderBy(f => f.Path, StringComparer.Ordinal)],
                Properties = (JsonObject)JsonSerializer.SerializeToNode(properties, WireJson.Options)!,
            },
            cancellationToken).ConfigureAwait(false);
        return new DatasetBuild(
            reference, domains.Sum(d => d.DuplicatesOf(spool)), domains.Sum(d => d.Count(spool, Fate.NearDuplicate)), contaminated,
            domains.Sum(d => d.Count(spool, Fate.Pruned)));
    }

    /// <summary>A text that changes whenever the content behind a source does, for step keys.</summary>
    /// <param name="source">As <see cref="TextSource.From"/>.</param>
    /// <param name="cancellationToken">Stops the reading of the user's files.</param>
    /// <exception cref="UserInputException">The source does not exist, or cannot be read.</exception>
    public static string Fingerprint(string source, CancellationToken cancellationToken) =>
        SourceReader.Fingerprint(new TextSource(source), cancellationToken);

    /// <summary>Looks at the beginning of a source before anything is made of it; returns the names of the domains that it gives.</summary>
    /// <exception cref="UserInputException">The source does not exist, is empty, or its records have no such field.</exception>
    public static IReadOnlyList<string> Examine(TextSource source, CancellationToken cancellationToken)
    {
        var domains = SourceReader.Examine(source, cancellationToken);
        return [.. domains.Select(domain => source.NameOf(domain, domains.Count))];
    }

    private async Task<(List<DomainDraft> Domains, IReadOnlyList<OpenSource> Sources)> ReadAsync(
        DatasetRequest request, SourceReader reader, DocumentSpool spool, CancellationToken cancellationToken)
    {
        var domains = new List<DomainDraft>();
        var sources = new List<OpenSource>();
        using var intake = new TextIntake(spool, scratch.FullName, request.Deduplicate);
        foreach (var source in request.Sources)
        {
            var text = await reader.OpenAsync(source, cancellationToken).ConfigureAwait(false);
            sources.Add(new OpenSource(source, text));
            foreach (var domain in text.Domains)
            {
                var name = source.NameOf(domain.Name, text.Domains.Count);
                if (domains.Exists(d => d.Name == name))
                    throw new UserInputException($"Two sources have a domain '{name}': give one of them another 'name'.");
                var documents = await intake.AddAsync(
                    domain, name, bytes => report($"reading {name}", bytes, 0, "bytes"), cancellationToken).ConfigureAwait(false);
                domains.Add(new DomainDraft(name, source, domain, documents));
            }
        }
        report("looking for duplicates", 0, spool.Count, "documents");
        intake.SettleDuplicates(cancellationToken);
        return (domains, sources);
    }

    private void Select(DocumentSpool spool, DomainDraft domain, DatasetRequest request, CancellationToken cancellationToken)
    {
        if (request.Keep is not { } keep)
            return;
        report($"choosing documents of {domain.Name}", 0, spool.Count, "documents");
        var before = domain.SizeOf(spool, DatasetSplits.Train);
        var prototypes = new DocumentSelection(spool, keep).Apply(domain, cancellationToken);
        var after = domain.SizeOf(spool, DatasetSplits.Train);
        var which = keep.Prefer == KeepPreference.Hard ? "far from" : "near to";
        log(FormattableString.Invariant($"{domain.Name}: kept {after.Documents} of {before.Documents} training documents, {after.SizeBytes} of ")
            + FormattableString.Invariant($"{before.SizeBytes} bytes, first those {which} the nearest of {prototypes} prototypes."));
    }

    // The rule has put every document into a split; only where it leaves one empty are the names of all looked at.
    private void Split(DocumentSpool spool, DomainDraft domain, long? limitBytes)
    {
        if (limitBytes is { } limit)
            SizeLimit.Apply(spool, domain.Documents, limit, scratch.FullName);
        if (DatasetSplits.Stored.All(split => domain.SizeOf(spool, split).Documents > 0))
            return;
        var kept = spool.Read(domain.Documents, d => spool.FateOf(d) == Fate.Kept).Select(d => (d.Number, Id: d.ToId())).ToList();
        foreach (var ((number, _), split) in kept.Zip(SplitRule.Assign(domain.Name, [.. kept.Select(d => d.Id)])))
            spool.Move(number, split);
    }
}
