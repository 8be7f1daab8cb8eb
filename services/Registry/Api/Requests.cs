using Espalier.Hosting.Authentication;
using Espalier.Registry.Queries;

namespace Espalier.Registry.Api;

/// <summary>What routes read from requests in the same way.</summary>
internal static class Requests
{
    private const int DefaultLimit = 50, LargestLimit = 500;

    /// <summary>Length of a page, within bounds.</summary>
    public static int Page(int? limit) => Math.Clamp(limit ?? DefaultLimit, 1, LargestLimit);

    /// <summary>A version, or 404.</summary>
    public static async Task<ModelVersion> RequireAsync(this ModelRegistry registry, string name, int version, CancellationToken cancellationToken) =>
        await registry.FindAsync(name, version, cancellationToken).ConfigureAwait(false)
            ?? throw new NotFoundException($"There is no version {version} of a model '{name}'.");

    /// <summary>A version by <c>NAME@N</c> or <c>NAME@ALIAS</c>, or 404.</summary>
    public static async Task<ModelVersion> RequireAsync(this ModelRegistry registry, string reference, CancellationToken cancellationToken) =>
        await registry.FindAsync(reference, cancellationToken).ConfigureAwait(false)
            ?? throw new NotFoundException($"There is no version '{reference}': expected NAME@N or NAME@ALIAS.");

    /// <summary>A model, or 404.</summary>
    public static async Task<ModelSummary> RequireModelAsync(this ModelQueries queries, string name, CancellationToken cancellationToken) =>
        await queries.FindModelAsync(name, cancellationToken).ConfigureAwait(false) ?? throw new NotFoundException($"There is no model '{name}'.");

    /// <summary>Who asks, for the record.</summary>
    public static string Actor(this HttpContext http) => http.Caller()?.Name ?? "HTTP";
}
