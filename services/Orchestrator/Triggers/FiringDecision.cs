using System.Text.Json;
using Espalier.Pipelines.Triggers;

namespace Espalier.Orchestrator.Triggers;

/// <summary>What an event becomes at a trigger.</summary>
/// <param name="State">What.</param>
/// <param name="Reason">Why no run is started; empty when one is.</param>
/// <param name="Verdict">Parameters, key and group.</param>
internal sealed record FiringDecision(FiringState State, string Reason, TriggerVerdict Verdict)
{
    private static readonly TriggerVerdict Unreadable = new(TriggerAnswer.Refused);

    /// <summary>
    /// Decides from the event, the trigger and the firings that count already. Events that happen and events that are replayed go through
    /// here, so a replay cannot say anything else than what happens.
    /// </summary>
    public static async Task<FiringDecision> MakeAsync(TriggerRow trigger, TriggerSettings settings, EventRow happened, IPastFirings past)
    {
        TriggerVerdict verdict;
        try
        {
            verdict = TriggerEvaluation.Evaluate(settings, happened.ReadFields(), happened.ReadChain(), trigger.Name);
        }
        catch (JsonException e)
        {
            return Unread($"The event cannot be read: {e.Message}");
        }
        if (verdict.Answer != TriggerAnswer.Match)
            return new FiringDecision(verdict.Answer == TriggerAnswer.NoMatch ? FiringState.NoMatch : FiringState.Refused, verdict.Reason, verdict);
        if (verdict.DedupeKey is { } key && await past.FindByKeyAsync(key).ConfigureAwait(false) is { } earlier)
            return new FiringDecision(FiringState.Skipped, $"Event #{earlier} had the same key '{key}'.", verdict);
        if (settings.Quota is { } quota
            && await past.CountSinceAsync(happened.At - (long)LengthOf(quota).TotalMilliseconds).ConfigureAwait(false) >= quota.Runs)
        {
            return new FiringDecision(
                FiringState.Refused, $"The quota of {quota.Runs} runs {(quota.Per == QuotaPeriod.Day ? "a day" : "an hour")} is used up.", verdict);
        }
        return new FiringDecision(FiringState.Waiting, "", verdict);
    }

    /// <summary>No run, since the event or the trigger cannot be read.</summary>
    public static FiringDecision Unread(string reason) => new(FiringState.Refused, reason, Unreadable);

    private static TimeSpan LengthOf(QuotaBlock quota) => quota.Per == QuotaPeriod.Day ? TimeSpan.FromDays(1) : TimeSpan.FromHours(1);
}

/// <summary>The firings of a trigger that have started a run, or will.</summary>
internal interface IPastFirings
{
    /// <summary>How many there are for events after a time, in milliseconds since 1970.</summary>
    Task<int> CountSinceAsync(long after);

    /// <summary>The event of the one with this key, or null.</summary>
    Task<long?> FindByKeyAsync(string key);
}
