using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Scheduling;
using Espalier.Pipelines.Planning;

namespace Espalier.Orchestrator.Triggers;

/// <summary>The run that a firing would start.</summary>
internal sealed record FiringPlan(SubmitRun Submit, PipelinePlan Plan, RunOrigin Origin);

/// <summary>Nothing is wrong with the pipeline, but it cannot be planned now.</summary>
internal sealed class PlanLaterException(string message, Exception? innerException = null) : Exception(message, innerException);

/// <summary>Plans runs of registered pipelines.</summary>
internal sealed class FiringPlans(IRunPlanner planner, StageCatalog stages)
{
    private const int MostPriority = 1000;

    /// <summary>What workers offer now, for several plans.</summary>
    public Task<IReadOnlyList<StageAdvertised>> OfferedAsync(CancellationToken cancellationToken) => stages.ListAsync(cancellationToken);

    /// <summary>Plans the run of a firing.</summary>
    /// <param name="firing">The firing, of which nothing is gone.</param>
    /// <param name="offered">What workers offer.</param>
    /// <param name="cancellationToken">Stops planning.</param>
    /// <exception cref="UserInputException">The pipeline cannot be run with what the event says.</exception>
    /// <exception cref="PlanLaterException">Something that it takes is away.</exception>
    public async Task<PlannedFiring> MakeAsync(DueFiring firing, IReadOnlyList<StageAdvertised> offered, CancellationToken cancellationToken)
    {
        var (row, pipeline, trigger, happened) = (firing.Row, firing.Pipeline!, firing.Trigger!, firing.Event!);
        if (offered.Count == 0)
            throw new PlanLaterException("No worker has said yet what it offers.");
        var submit = new SubmitRun
        {
            RunId = IdOf(trigger.Name, happened.EventKey),
            Pipeline = pipeline.Yaml,
            FileName = pipeline.FileName,
            Parameters = row.ReadParameters(),
        };
        var plan = await PlanAsync(submit, trigger, offered, cancellationToken).ConfigureAwait(false);
        return new PlannedFiring(row, happened, new FiringPlan(submit, plan, new RunOrigin
        {
            Pipeline = pipeline.Name,
            Version = pipeline.Version,
            Owner = pipeline.Owner,
            Trigger = trigger.Name,
            Event = happened.Id,
            EventKind = happened.Kind,
            Chain = [.. happened.ReadChain(), trigger.Name],
            Group = row.ConcurrencyGroup,
        }));
    }

    private async Task<PipelinePlan> PlanAsync(
        SubmitRun submit, TriggerRow trigger, IReadOnlyList<StageAdvertised> offered, CancellationToken cancellationToken)
    {
        try
        {
            var plan = await planner.PlanAsync(submit, offered, cancellationToken).ConfigureAwait(false);
            var more = trigger.Read().Priority;
            return more == 0
                ? plan
                : plan with { Steps = [.. plan.Steps.Select(s => s with { Priority = Math.Clamp(s.Priority + more, -MostPriority, MostPriority) })] };
        }
        catch (UserInputException e) when (e.InnerException is MassTransit.RequestException or MassTransit.MassTransitException or TimeoutException)
        {
            throw new PlanLaterException("The registry does not answer.", e);
        }
    }

    /// <summary>The id of a run follows from its trigger and its event.</summary>
    private static Guid IdOf(string trigger, string eventKey)
    {
        var bytes = Convert.FromHexString(Digest.Of(System.Text.Encoding.UTF8.GetBytes($"{trigger}\n{eventKey}")).Hex)[..16];
        bytes[6] = (byte)((bytes[6] & 0x0f) | 0x80); // version 8: made of a digest
        bytes[8] = (byte)((bytes[8] & 0x3f) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }
}
