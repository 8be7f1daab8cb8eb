using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Text;

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
    public static PipelinePlan Plan(string yaml, string fileName, IReadOnlyDictionary<string, string> parameters, PlanningContext context)
    {
        var problems = new ProblemList(fileName);
        var file = PipelineFileReader.Read(YamlSource.Parse(yaml, fileName), parameters, context.Triggers, problems);
        var steps = new StepReader(file, context, problems).ReadAll();
        var baseDirectory = context.BaseDirectory ?? Path.GetDirectoryName(Path.GetFullPath(fileName)) ?? ".";
        var datasets = new DatasetSteps(context, baseDirectory, [.. steps.Select(s => s.Name), .. file.Stages.Select(s => s.Name)], problems);
        new StepLinker(steps, datasets, context, problems).LinkAll();
        var ordered = StepOrder.Sort([.. steps, .. datasets.Steps], problems);
        var byName = ordered.ToDictionary(s => s.Name);
        foreach (var step in ordered)
            InheritDatasets(step, byName, problems);
        problems.ThrowIfAny();
        return new PipelinePlan
        {
            Name = file.Name,
            Steps = [.. ordered.Select(s => s.ToStep())],
            Triggers = file.Triggers,
            Parameters = file.Parameters.ToDictionary(p => p.Key, p => p.Value.Text),
        };
    }

    /// <summary>Fills in dataset options that were left out: the dataset called <c>data</c> of the nearest step upstream.</summary>
    private static void InheritDatasets(StepDraft step, Dictionary<string, StepDraft> byName, ProblemList problems)
    {
        foreach (var option in step.Options.Inherited)
        {
            if (FindUpstream(step, byName) is { } data)
                step.AddInput(option, data.Step, data.Output);
            else if (option.IsRequired)
                problems.Add(option.Line, option.Column, $"'{option.Path}' is missing, and no step upstream of '{step.Name}' has a dataset: give corpus:NAME, file:PATH or dir:PATH");
            else
                option.Value.Parent!.AsObject().Remove(option.Path[(option.Path.LastIndexOf('.') + 1)..]);
        }
    }

    private static PlannedInput? FindUpstream(StepDraft step, Dictionary<string, StepDraft> byName)
    {
        var seen = new HashSet<string>();
        var queue = new Queue<StepDraft>([step]);
        while (queue.TryDequeue(out var next))
        {
            if (next.Inputs.FirstOrDefault(i => i.As == OutputNames.Data) is { } data)
                return data;
            foreach (var need in next.Needs.Where(n => seen.Add(n) && byName.ContainsKey(n)))
                queue.Enqueue(byName[need]);
        }
        return null;
    }
}
