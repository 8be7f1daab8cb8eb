using Espalier.Registry.Comparisons;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Espalier.Registry.Api;

/// <summary><c>/api/v1/compare?left=NAME@N&amp;right=NAME@N</c>.</summary>
internal static class CompareRoutes
{
    public static void Map(RouteGroupBuilder viewer) =>
        viewer.MapGet("/compare", CompareAsync).WithSummary("Two versions beside each other: configuration, metrics, weights, bytes.");

    private static async Task<Ok<VersionComparison>> CompareAsync(
        string left, string right, ModelRegistry registry, VersionComparer comparer, CancellationToken cancellationToken)
    {
        var (a, b) = (await registry.RequireAsync(left, cancellationToken).ConfigureAwait(false),
            await registry.RequireAsync(right, cancellationToken).ConfigureAwait(false));
        return TypedResults.Ok(await comparer.CompareAsync(a, b, cancellationToken).ConfigureAwait(false));
    }
}
