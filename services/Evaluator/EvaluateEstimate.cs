using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Evaluator.Passes;
using Espalier.Evaluator.Tasks;
using Espalier.Surgery.Estimates;
using Espalier.Stages.Methods;

namespace Espalier.Evaluator;

/// <summary>What evaluation comes to: a report, and in memory a model, or a layer of one that does not fit now.</summary>
internal sealed class EvaluateEstimate(MemoryLimits limits) : IStageEstimate
{
    private const int DefaultLength = 1024;
    private const long ReportBytes = 64 << 10;

    public EvaluateEstimate() : this(new MemoryLimits())
    {
    }

    public string Kind => StageKinds.Evaluate;

    public StepEstimate Estimate(EstimateRequest step)
    {
        var options = step.Read<EvaluateOptions>();
        var models = step.Models;
        if (models.Count == 0)
            throw new UserInputException($"Step '{step.Name}' has no model to evaluate: name the steps that make them in 'needs'.");
        var shortest = models.MinBy(m => m.Config.LongestInput)!.Config;
        if (options.Length > shortest.LongestInput)
            throw new UserInputException($"'length' is {options.Length}, but the shortest model has {shortest.DescribeLongestInput()}.");
        var length = options.Length ?? Math.Min(models.Min(m => m.Config.MaxPositions), DefaultLength);
        var atOnce = options.Tasks.Select(task => MethodCatalog<IEvaluationTask>.Get(task, "tasks").ModelsAtOnce).DefaultIfEmpty(1).Max();
        var placement = new ModelPlacement(options, length, atOnce, limits.UsableBytes(step.MemoryBytes));
        return new StepEstimate
        {
            NewBytes = ReportBytes,
            MemoryBytes = MemoryEstimate.Process + models.Max(m => placement.Bytes(m.Config)),
            Operations = models.Sum(m => 2.0 * m.Config.ActiveParameters),
        };
    }

    public IEnumerable<JsonObject> Smaller(EstimateRequest step)
    {
        yield return new JsonObject { ["batch"] = 1 };
    }
}
