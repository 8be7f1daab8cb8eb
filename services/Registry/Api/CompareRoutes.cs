using System.Text.Json;
using Espalier.Contracts;
using Espalier.Registry.Comparisons;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Espalier.Registry.Api;

/// <summary><c>/api/v1/compare?left=NAME@N&amp;right=NAME@N</c>, and <c>/api/v1/compare/versions?version=NAME@N&amp;version=…</c> for several.</summary>
internal static class CompareRoutes
{
    private const int MostVersions = 12;

    public static void Map(RouteGroupBuilder viewer)
    {
        viewer.MapGet("/compare", CompareAsync)
            .WithName("compareVersions").WithSummary("Two versions beside each other: configuration, metrics, weights, bytes.");
        viewer.MapGet("/compare/versions", ListAsync)
            .WithName("listVersionsBeside").WithSummary("Several versions with metrics and configuration, in the order asked for.");
    }

    private static async Task<Ok<VersionComparison>> CompareAsync(
        string left, string right, ModelRegistry registry, VersionComparer comparer, CancellationToken cancellationToken)
    {
        var (a, b) = (await registry.RequireAsync(left, cancellationToken).ConfigureAwait(false),
            await registry.RequireAsync(right, cancellationToken).ConfigureAwait(false));
        return TypedResults.Ok(await comparer.CompareAsync(a, b, cancellationToken).ConfigureAwait(false));
    }

    private static async Task<Ok<ComparedVersions>> ListAsync(
        string[] version, ModelRegistry registry, VersionFiles files, CancellationToken cancellationToken)
    {
        if (version.Length is 0 or > MostVersions)
            throw new UserInputException($"1 to {MostVersions} versions are compared, and this asks for {version.Length}: ?version=NAME@1&version=NAME@2.");
        var compared = new List<ComparedVersion>();
        foreach (var reference in version.Distinct())
        {
            var found = await registry.RequireAsync(reference, cancellationToken).ConfigureAwait(false);
            var directory = await files.FindAsync(found, cancellationToken).ConfigureAwait(false);
            var config = directory is null ? null : await files.ReadConfigAsync(directory, cancellationToken).ConfigureAwait(false);
            compared.Add(new ComparedVersion(VersionView.Of(found), config));
        }
        return TypedResults.Ok(new ComparedVersions(compared));
    }
}

/// <summary>Versions beside each other.</summary>
public sealed record ComparedVersions(IReadOnlyList<ComparedVersion> Items);

/// <summary>A version beside others.</summary>
/// <param name="Version">The version with its metrics.</param>
/// <param name="Config"><c>config.json</c>; absent when the store does not have it.</param>
public sealed record ComparedVersion(VersionView Version, JsonElement? Config);
