using Espalier.Contracts;

namespace Espalier.Pipelines.Planning;

/// <summary>Reads a pipeline file, checks all of it, and makes the plan.</summary>
public static class PipelinePlanner
{
    /// <summary>The plan of a pipeline.</summary>
    /// <param name="yaml">The file's text.</param>
    /// <param name="fileName">The file's name, for messages and relative paths.</param>
    /// <param name="parameters">Values that replace the file's <c>params</c>.</param>
    /// <param name="context">Stage kinds and what else the file may refer to.</param>
    /// <exception cref="UserInputException">With every problem of the file, each with line and column.</exception>
    public static PipelinePlan Plan(string yaml, string fileName, IReadOnlyDictionary<string, string> parameters, PlanningContext context) =>
        PipelineDraft.Read(yaml, fileName, parameters, context).ToPlan(context.FindRegistered);
}
