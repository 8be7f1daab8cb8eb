using Espalier.Registry.Datasets;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Espalier.Registry.Api;

/// <summary><c>/api/v1/datasets</c>.</summary>
internal static class DatasetRoutes
{
    private const int LargestLimit = 1000;

    public static void Map(RouteGroupBuilder viewer, RouteGroupBuilder promoter)
    {
        viewer.MapGet("/datasets", ListAsync).WithName("listDatasets").WithSummary("Registered datasets by name, newest version first.");
        promoter.MapDelete("/datasets/{name}/versions/{version:int}", DeleteAsync)
            .WithName("deleteDataset").WithSummary("Forgets a version of a dataset; its bytes stay until gc finds that nothing needs them.");
    }

    private static async Task<Ok<IReadOnlyList<RegisteredDataset>>> ListAsync(
        DatasetNames datasets, CancellationToken cancellationToken, string? name = null, int? limit = null) =>
        TypedResults.Ok(await datasets.ListAsync(name, Math.Clamp(limit ?? LargestLimit, 1, LargestLimit), cancellationToken).ConfigureAwait(false));

    private static async Task<NoContent> DeleteAsync(string name, int version, DatasetNames datasets, CancellationToken cancellationToken) =>
        await datasets.DeleteAsync(name, version, cancellationToken).ConfigureAwait(false)
            ? TypedResults.NoContent()
            : throw new NotFoundException($"There is no version {version} of a dataset '{name}'.");
}
