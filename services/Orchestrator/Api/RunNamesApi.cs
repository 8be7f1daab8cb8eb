using Espalier.Contracts;
using Espalier.Hosting.Authentication;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Orchestrator.Api;

/// <summary>
/// Paths with a run's name (<c>tiny%2312</c>) or the first digits of its id lead to those with the id: <c>/api/v1/runs/tiny%2312/log</c> answers 307
/// with <c>/api/v1/runs/ID/log</c>, so that any method works by any of them.
/// </summary>
internal static class RunNamesApi
{
    private const int Few = 2;

    /// <summary>Maps the paths; those with an id go before them.</summary>
    public static void MapRunNames(this IEndpointRouteBuilder api) =>
        api.MapGroupFor(ApiRole.Viewer).MapMethods("/api/v1/runs/{run}/{**rest}", [HttpMethods.Get, HttpMethods.Post], LeadAsync)
            .ExcludeFromDescription();

    private static async Task<IResult> LeadAsync(
        string run, HttpRequest request, IRunReader runs, CancellationToken cancellationToken, string? rest = null)
    {
        var (found, refusal) = await FindAsync(run, runs, cancellationToken).ConfigureAwait(false);
        return refusal ?? TypedResults.Redirect(
            $"{request.PathBase}/api/v1/runs/{found}{PathOf(rest)}{request.QueryString}", permanent: false, preserveMethod: true);
    }

    /// <summary>The run with this id, of this name, or with an id that begins so; or the answer that says why there is none.</summary>
    internal static async Task<(Guid Run, IResult? Refusal)> FindAsync(string run, IRunReader runs, CancellationToken cancellationToken)
    {
        if (Guid.TryParse(run, out var id))
            return (id, null);
        var query = RunQuery.ByLabel(run) ?? new RunQuery { IdPrefix = run, Limit = Few };
        var found = await runs.ListAsync(query, cancellationToken).ConfigureAwait(false);
        if (found.Count == 0)
            found = await runs.ListAsync(query with { IsArchived = true }, cancellationToken).ConfigureAwait(false);
        return found switch
        {
            [] => (default, TypedResults.Problem($"There is no run '{run}'.", statusCode: StatusCodes.Status404NotFound)),
            [var one] => (one.RunId, null),
            _ => (default, TypedResults.Problem(
                $"'{run}' begins the ids of several runs: give more digits.", statusCode: StatusCodes.Status400BadRequest)),
        };
    }

    private static string PathOf(string? rest) => string.Concat((rest ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries)
        .Select(part => $"/{Uri.EscapeDataString(part)}"));
}
