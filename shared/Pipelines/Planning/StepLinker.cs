using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Pipelines.Expressions;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Planning;

/// <summary>Draws the edges: from options that name outputs, datasets and models, from <c>needs</c>, and from <c>when</c>.</summary>
internal sealed class StepLinker(IReadOnlyList<StepDraft> steps, DatasetSteps datasets, RegistryNames names, ProblemList problems)
{
    private const string OptimizerState = "optimizer-state";
    private const string ResetOptimizer = "reset";
    private readonly Dictionary<string, StepDraft> _byName = steps.ToDictionary(s => s.Name);
    private readonly ILookup<string, StepDraft> _byBlock = steps.ToLookup(s => s.Block);

    public void LinkAll()
    {
        foreach (var step in steps)
        {
            foreach (var option in step.Options.Artifacts)
                LinkOption(step, option);
            foreach (var need in step.Body.Find("needs")?.Items ?? [])
                LinkNeed(step, need);
            AddTrainerStates(step);
        }
        // Which metrics a step reports depends on its inputs, which are known only now.
        foreach (var step in steps)
        {
            if (step.Body.Find("when") is { Kind: NodeKind.Text } when)
                LinkCondition(step, when);
        }
    }

    private void LinkOption(StepDraft step, ArtifactOption option)
    {
        if (Interpolation.TryReadOutput(option.Text, out var name, out var output))
            LinkOutput(step, option, name, output);
        else if (option.Text.StartsWith("${", StringComparison.Ordinal))
            problems.Add(option.Line, option.Column, $"'{option.Path}' must be ${{STEP.OUTPUT}}, such as ${{base.model}}; found '{option.Text}'");
        else if (option.Kind == ValueKind.Dataset)
            LinkDataset(step, option);
        else
            LinkRegistered(step, option, OutputNames.Model);
    }

    private void LinkOutput(StepDraft step, ArtifactOption option, string name, string output)
    {
        if (FindOne(step, name, option) is not { } source || source.Stage is null)
            return;
        IReadOnlyList<string> wanted = option.Kind == ValueKind.Dataset ? [OutputNames.Data]
            : [OutputNames.Model, OutputNames.Ema, OutputNames.Stable, OutputNames.TrainerState];
        if (!source.Stage.Traits.Outputs.Contains(output))
        {
            problems.Add(
                option.Line, option.Column,
                $"step '{source.Name}' ({source.Stage.Kind}) has no output '{output}': {NearestWord.Hint(output, [.. source.Stage.Traits.Outputs])}");
        }
        else if (!wanted.Contains(output))
            problems.Add(option.Line, option.Column, $"'{option.Path}' takes a {wanted[0]}, and '{output}' of step '{source.Name}' is none");
        else if (source.Stage.Traits.OutputOptions.TryGetValue(output, out var needed) && !IsSet(source.Options.Values[needed]))
            problems.Add(option.Line, option.Column, $"step '{source.Name}' makes '{output}' only with the option '{needed}', which it does not set");
        else
            step.AddInput(option, source.Name, output);
    }

    private static bool IsSet(JsonNode? value) => value is not null && value.GetValueKind() != JsonValueKind.False;

    private void LinkDataset(StepDraft step, ArtifactOption option)
    {
        if (option.Sources is null && RegistryNames.IsDataset(option.Text))
            LinkRegistered(step, option, OutputNames.Data);
        else if (datasets.StepFor(option) is { } source)
            step.AddInput(option, source, OutputNames.Data);
    }

    private void LinkRegistered(StepDraft step, ArtifactOption option, string output)
    {
        try
        {
            step.AddInput(option, option.Text, output, names.Find(option.Text));
        }
        catch (UserInputException e)
        {
            problems.Add(option.Line, option.Column, $"'{option.Path}': {e.Message}");
        }
    }

    private void LinkNeed(StepDraft step, PlacedNode need)
    {
        if (need.Kind != NodeKind.Text)
            return;
        var sources = FindAll(step, need.Text);
        if (sources.Count == 0)
            problems.Add(need, $"'needs' names the unknown step '{need.Text}': {NearestWord.Hint(need.Text, StepNamesFor(step, need.Text))}");
        foreach (var source in sources)
        {
            if (!step.Inputs.Any(i => i.Step == source.Name) && source.Stage is { Traits.Outputs: [var output, ..] })
                step.Inputs.Add(new PlannedInput { Step = source.Name, Output = output, As = output });
            step.AddNeed(source.Name);
        }
    }

    /// <summary>A step that keeps the optimizer's moments reads them from the step that made its model.</summary>
    private void AddTrainerStates(StepDraft step)
    {
        if (step.Options.Values[OptimizerState] is not JsonValue policy || policy.GetValue<string>() == ResetOptimizer)
            return;
        foreach (var model in step.Inputs.Where(i => i.Output == OutputNames.Model && i.Artifact is null && i.As != InputNames.Teacher).ToList())
        {
            if (_byName[model.Step].Stage?.Traits.Outputs.Contains(OutputNames.TrainerState) == true)
                step.Inputs.Add(new PlannedInput { Step = model.Step, Output = OutputNames.TrainerState, As = OutputNames.TrainerState });
        }
    }

    private void LinkCondition(StepDraft step, PlacedNode when)
    {
        try
        {
            foreach (var metric in Condition.Parse(when.Text).Metrics)
            {
                if (_byName.TryGetValue(metric.Step, out var source))
                {
                    step.AddNeed(metric.Step);
                    if (StepMetrics.ProblemOf(source, metric.Name) is { } problem)
                        problems.Add(when.Line, when.TextColumn + metric.Column - 1, $"'when' reads '{metric.Path}': {problem}");
                }
                else
                {
                    problems.Add(
                        when.Line, when.TextColumn + metric.Column - 1,
                        $"'when' reads a metric of the unknown step '{metric.Step}': {NearestWord.Hint(metric.Step, StepNamesFor(step, metric.Step))}");
                }
            }
        }
        catch (ExpressionException exception)
        {
            problems.Add(when.Line, when.TextColumn + exception.Column - 1, $"'when': {exception.Message}");
        }
    }

    private StepDraft? FindOne(StepDraft step, string name, ArtifactOption option)
    {
        var sources = FindAll(step, name);
        if (sources.Count == 0)
            problems.Add(option.Line, option.Column, $"'{option.Path}' names the unknown step '{name}': {NearestWord.Hint(name, StepNamesFor(step, name))}");
        if (sources.Count > 1)
        {
            problems.Add(
                option.Line, option.Column,
                $"step '{name}' has a matrix: name one of {string.Join(", ", sources.Take(6).Select(s => s.Name))}, or give step '{step.Name}' "
                    + "the same axes");
        }
        return sources.Count == 1 ? sources[0] : null;
    }

    /// <summary>The step of that name, else the steps of a matrix: those that agree on every axis the two have in common.</summary>
    private List<StepDraft> FindAll(StepDraft step, string name) => _byName.TryGetValue(name, out var exact)
        ? [exact]
        : [.. _byBlock[name].Where(s => s.Combination.All(axis => !step.Combination.TryGetValue(axis.Key, out var own) || own.Text == axis.Value.Text))];

    /// <summary>What a step may have meant: any step but itself.</summary>
    private List<string> StepNamesFor(StepDraft step, string name) =>
        [.. _byName.Keys.Union(_byBlock.Select(b => b.Key)).Where(n => n != name && n != step.Name && n != step.Block && n.Length > 0)];
}
