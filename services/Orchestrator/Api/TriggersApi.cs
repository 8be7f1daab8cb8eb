using Espalier.Hosting;
using Espalier.Hosting.Authentication;
using Espalier.Orchestrator.Triggers;

namespace Espalier.Orchestrator.Api;

/// <summary>What starts pipelines by itself: <c>/api/v1/triggers</c>.</summary>
internal static class TriggersApi
{
    private const int Most = 1000;

    public static void MapTriggersApi(this IEndpointRouteBuilder app)
    {
        var triggers = app.MapGroup("/api/v1/triggers");
        var read = triggers.MapGroupFor(ApiRole.Viewer);
        read.MapGet("", async (TriggerLedger ledger, CancellationToken cancellationToken) =>
            TypedResults.Ok(await ledger.ListAsync(cancellationToken).ConfigureAwait(false)))
            .Describe<IReadOnlyList<TriggerView>>("listTriggers", "What starts pipelines.");
        read.MapGet("events", EventsAsync).Describe<IReadOnlyList<TriggerEventView>>("listEvents", "The events that triggers see, newest first.");
        read.MapGet("{name}", ShowAsync).Describe<TriggerView>("findTrigger", "One trigger with what it did last.");
        read.MapGet("{name}/test", ReplayAsync).Describe<TriggerReplay>("replayTrigger", "What a trigger would have done on the stored events.");
        var write = triggers.MapGroupFor(ApiRole.Submitter);
        write.MapPost("{name}/enable", (string name, HttpContext http, TriggerLedger ledger, CancellationToken cancellationToken) =>
            SwitchAsync(name, isOn: true, http, ledger, cancellationToken)).Describe<TriggerView>("enableTrigger", "Switches a trigger on.");
        write.MapPost("{name}/disable", (string name, HttpContext http, TriggerLedger ledger, CancellationToken cancellationToken) =>
            SwitchAsync(name, isOn: false, http, ledger, cancellationToken)).Describe<TriggerView>("disableTrigger", "Switches a trigger off.");
    }

    /// <summary>The newest events first; <c>?kind=</c> names one kind.</summary>
    private static async Task<IResult> EventsAsync(TriggerLedger ledger, CancellationToken cancellationToken, string? kind = null, int limit = 100) =>
        TypedResults.Ok(await ledger.EventsAsync(kind, Math.Clamp(limit, 1, Most), cancellationToken).ConfigureAwait(false));

    private static async Task<IResult> ShowAsync(string name, TriggerLedger ledger, CancellationToken cancellationToken, int last = 50) =>
        await ledger.ShowAsync(name, Math.Clamp(last, 0, Most), cancellationToken).ConfigureAwait(false) is { } trigger
            ? TypedResults.Ok(trigger)
            : Missing(name);

    private static async Task<IResult> ReplayAsync(string name, TriggerReplays replays, CancellationToken cancellationToken, int last = 200) =>
        await replays.RunAsync(name, Math.Clamp(last, 1, Most), cancellationToken).ConfigureAwait(false) is { } replay
            ? TypedResults.Ok(replay)
            : Missing(name);

    private static async Task<IResult> SwitchAsync(string name, bool isOn, HttpContext http, TriggerLedger ledger, CancellationToken cancellationToken)
    {
        if (await ledger.ShowAsync(name, 0, cancellationToken).ConfigureAwait(false) is not { } trigger)
            return Missing(name);
        var caller = http.Caller()!;
        if (trigger.Owner != caller.Name && caller.Role < ApiRole.Admin)
        {
            return TypedResults.Problem(
                $"Trigger '{trigger.Name}' is {trigger.Owner}'s: only its owner or an administrator may do that.", statusCode: StatusCodes.Status403Forbidden);
        }
        return TypedResults.Ok(await ledger.SwitchAsync(trigger.Name, isOn, cancellationToken).ConfigureAwait(false));
    }

    private static IResult Missing(string name) => TypedResults.Problem(
        $"There is no trigger '{name}': see espalier trigger list.", statusCode: StatusCodes.Status404NotFound);
}
