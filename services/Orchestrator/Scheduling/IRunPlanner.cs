using Espalier.Contracts;
using Espalier.Pipelines.Planning;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>Turns a submitted file into a plan.</summary>
internal interface IRunPlanner
{
    /// <summary>The plan of a run.</summary>
    /// <exception cref="UserInputException">The file is wrong; every problem with its place.</exception>
    Task<PipelinePlan> PlanAsync(SubmitRun submit, IReadOnlyList<StageAdvertised> stages, CancellationToken cancellationToken);
}
