using Espalier.Registry.Cards;
using Espalier.Registry.Comparisons;
using Espalier.Registry.Lineages;
using Espalier.Registry.Queries;
using Espalier.Registry.Search;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Espalier.Registry.Api;

/// <summary><c>/api/v1/models/{name}/versions</c>.</summary>
internal static class VersionRoutes
{
    private const string Route = "/models/{name}/versions/{version:int}";

    public static void Map(RouteGroupBuilder viewer, RouteGroupBuilder submitter)
    {
        viewer.MapGet("/models/{name}/versions", ListAsync).WithName("listVersions")
            .WithSummary("Versions of a model, newest first, or those that meet ?q= in its order: loss < 3.1 and tag.team = core order by bytes.");
        viewer.MapGet(Route, FindAsync).WithName("findVersion").WithSummary("One version with card, configuration, parents, files and receipts.");
        viewer.MapGet(Route + "/standing", StandingAsync)
            .WithName("findStanding").WithSummary("The version's own numbers beside those of what it was made from and of the control.");
        viewer.MapGet(Route + "/lineage", LineageAsync)
            .WithName("findLineage").WithSummary("Everything the version was made from, and what that cost.");
        viewer.MapGet(Route + "/genealogy", GenealogyAsync)
            .WithName("findGenealogy").WithSummary("Where one expert came from, generation by generation.");
        submitter.MapPatch(Route, ChangeAsync)
            .WithName("changeVersion").WithSummary("Changes tags and free text; nothing else of a version ever changes.");
    }

    private static async Task<Ok<Page<VersionView>>> ListAsync(
        string name, ModelQueries queries, VersionSearch search, CancellationToken cancellationToken, string? q = null, int? limit = null,
        string? cursor = null)
    {
        await queries.RequireModelAsync(name, cancellationToken).ConfigureAwait(false);
        var page = string.IsNullOrWhiteSpace(q)
            ? await queries.ListVersionsAsync(name, Requests.Page(limit), cursor, cancellationToken).ConfigureAwait(false)
            : await search.FindAsync(name, q, Requests.Page(limit), cursor, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(page.Select(VersionView.Of));
    }

    private static async Task<Ok<VersionDetails>> FindAsync(
        string name, int version, ModelRegistry registry, VersionFiles files, VersionLineage lineage, CancellationToken cancellationToken)
    {
        var found = await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false);
        var directory = await files.FindAsync(found, cancellationToken).ConfigureAwait(false);
        var config = directory is null ? null : await files.ReadConfigAsync(directory, cancellationToken).ConfigureAwait(false);
        var (parents, receipts, notes) = await lineage.DescribeAsync(found, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(new VersionDetails(found)
        {
            Description = found.Description,
            Config = config,
            Parents = parents,
            Card = ModelCard.WithDescription(found.Card, found.Description),
            Files = directory is null ? [] : VersionFiles.List(directory),
            Receipts = receipts,
            Notes = notes,
        });
    }

    private static async Task<Ok<VersionStanding>> StandingAsync(
        string name, int version, ModelRegistry registry, VersionStandings standings, CancellationToken cancellationToken)
    {
        var found = await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(await standings.OfAsync(found, cancellationToken).ConfigureAwait(false));
    }

    private static async Task<Ok<LineageGraph>> LineageAsync(
        string name, int version, ModelRegistry registry, VersionLineage lineage, CancellationToken cancellationToken)
    {
        var found = await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(await lineage.ReadAsync(found, cancellationToken).ConfigureAwait(false));
    }

    private static async Task<Ok<ExpertLine>> GenealogyAsync(
        string name, int version, int layer, int expert, ModelRegistry registry, VersionLineage lineage, CancellationToken cancellationToken)
    {
        var found = await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false);
        var ancestors = await lineage.TraceExpertAsync(found, layer, expert, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(new ExpertLine(ancestors));
    }

    private static async Task<Ok<VersionView>> ChangeAsync(
        string name, int version, Changes changes, ModelRegistry registry, CancellationToken cancellationToken)
    {
        await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false);
        await registry.ChangeAsync(name, version, changes.Description, changes.Tags, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(VersionView.Of(await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false)));
    }
}

/// <summary>Ancestors of an expert, newest first.</summary>
public sealed record ExpertLine(IReadOnlyList<ExpertAncestor> Ancestors);
