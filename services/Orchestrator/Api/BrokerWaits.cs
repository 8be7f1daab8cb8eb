using Espalier.Contracts;
using Espalier.Messaging.Broker;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Orchestrator.Api;

/// <summary>
/// Tells of a broker that lets no message pass where steps seem to wait for workers only: the workers may be well, and their requests
/// are held back.
/// </summary>
internal sealed class BrokerWaits(BrokerProbe broker, LedgerDatabase database)
{
    /// <summary>A step that is claimed at once needs no look at the broker.</summary>
    private static readonly TimeSpan Usual = TimeSpan.FromSeconds(3);

    /// <summary>The run, with the broker's trouble as the reason of the steps that it holds up.</summary>
    public async Task<RunView> ExplainAsync(RunView run, CancellationToken cancellationToken)
    {
        if (!run.Steps.Any(IsHeldUp) || (await broker.FindAsync(cancellationToken).ConfigureAwait(false)).Problem is not { } problem)
            return run;
        return run with
        {
            Message = run.Message.Length > 0 ? run.Message : problem,
            Steps = [.. run.Steps.Select(s => IsHeldUp(s) ? s with { Wait = s.Wait! with { Reason = WaitReason.Broker, Text = problem } } : s)],
        };
    }

    private bool IsHeldUp(StepView step) =>
        step is { State: StepState.Ready, Wait: { Since: { } since, Reason: WaitReason.Claim or WaitReason.NoWorker or WaitReason.OtherCode } }
        && DateTimeOffset.FromUnixTimeMilliseconds(database.Now) - since > Usual;
}
