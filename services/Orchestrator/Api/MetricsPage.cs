using System.Data.Common;
using Espalier.Hosting;

namespace Espalier.Orchestrator.Api;

/// <summary>What the orchestrator adds to the metrics that every service hands out.</summary>
public static class MetricsPage
{
    /// <summary>The ledger is read before its numbers are handed out. While it is away the answer is 503, which autoscalers take for "unknown".</summary>
    public static void UseFreshGauges(this WebApplication app) => app.UseWhen(
        http => http.Request.Path.Equals(Telemetry.MetricsPath, StringComparison.Ordinal),
        branch => branch.Use(next => http => ServeAsync(http, next)));

    private static async Task ServeAsync(HttpContext http, RequestDelegate next)
    {
        try
        {
            await http.RequestServices.GetRequiredService<OrchestratorGauges>().RefreshAsync(http.RequestAborted).ConfigureAwait(false);
        }
        catch (DbException)
        {
            await TypedResults.Problem("The ledger does not answer.", statusCode: StatusCodes.Status503ServiceUnavailable)
                .ExecuteAsync(http).ConfigureAwait(false);
            return;
        }
        await next(http).ConfigureAwait(false);
    }
}
