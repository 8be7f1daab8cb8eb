using Espalier.Contracts;
using Espalier.Pipelines.Planning;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>Turns a submitted file into a plan.</summary>
internal interface IRunPlanner
{
    /// <summary>The plan of a run.</summary>
    /// <param name="submit">The file and its parameters.</param>
    /// <param name="stages">What workers offer.</param>
    /// <param name="models">The checkpoint behind <c>model:NAME@ALIAS</c>; null where there is no registry.</param>
    /// <exception cref="UserInputException">The file is wrong; every problem with its place.</exception>
    PipelinePlan Plan(SubmitRun submit, IReadOnlyList<StageAdvertised> stages, Func<string, ManifestRef?>? models);
}
