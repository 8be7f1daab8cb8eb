using Espalier.Contracts;
using Espalier.Registry.Queries;
using Espalier.Registry.Search;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Espalier.Registry.Api;

/// <summary><c>/api/v1/search?q=params.active &lt; 2B and loss &lt; 3.1 order by bytes</c>.</summary>
internal static class SearchRoutes
{
    public static void Map(RouteGroupBuilder viewer) => viewer.MapGet("/search", FindAsync)
        .WithName("searchVersions").WithSummary("Versions that meet a query.");

    private static async Task<Ok<Page<VersionView>>> FindAsync(
        VersionSearch search, CancellationToken cancellationToken, string q = "", int? limit = null, string? cursor = null) =>
        TypedResults.Ok((await search.FindAsync(q, Requests.Page(limit), cursor, cancellationToken).ConfigureAwait(false)).Select(VersionView.Of));
}
