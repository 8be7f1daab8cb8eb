using System.Text.Json;
using System.Text.Json.Serialization;
using Espalier.Modeling.Training;

namespace Espalier.CptTrainer.Training;

/// <summary>One point of the loss curve.</summary>
public sealed record HistoryPoint
{
    /// <summary>Optimizer steps done.</summary>
    public required long Step { get; init; }

    /// <summary>Tokens done.</summary>
    public required long Tokens { get; init; }

    /// <summary>Mean cross-entropy since the point before, in nats per token.</summary>
    public required double Loss { get; init; }

    /// <summary>Learning rate of the step.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Gradient norm before clipping.</summary>
    public required double GradNorm { get; init; }

    /// <summary>Load-balancing loss; K is perfect.</summary>
    public required double BalanceLoss { get; init; }

    /// <summary>Router z-loss.</summary>
    public required double RouterZLoss { get; init; }

    /// <summary>Maximum over layers of max load / mean load - 1.</summary>
    public required double MaxViolation { get; init; }

    /// <summary>Divergence from the teacher in nats per token; null without one.</summary>
    public double? Divergence { get; init; }

    /// <summary>Distance from the teacher's hidden states; null where they are not compared.</summary>
    public double? FeatureDistance { get; init; }

    /// <summary>Share of the assignments of tokens to experts beyond the experts' capacity; null where there is no limit.</summary>
    public double? Dropped { get; init; }

    /// <summary>Mean experts per token; null where it is the same for every token and step.</summary>
    public double? ExpertsPerToken { get; init; }

    /// <summary>What is not measured at every point, by metric: losses on held-out text.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? More { get; set; }

    /// <summary>Adds such numbers.</summary>
    public void Note(IReadOnlyDictionary<string, double> metrics)
    {
        More ??= [];
        foreach (var (name, value) in metrics)
            More[name] = JsonSerializer.SerializeToElement(value);
    }
}

/// <summary>Losses on held-out text.</summary>
/// <param name="Step">Optimizer steps done; 0 is before training.</param>
/// <param name="Tokens">Tokens done.</param>
/// <param name="Loss">Nats per token of all domains.</param>
/// <param name="Domains">Nats per token by domain.</param>
public sealed record HeldOutPoint(long Step, long Tokens, double Loss, IReadOnlyDictionary<string, double> Domains);

/// <summary>How often each expert was chosen over some steps.</summary>
/// <param name="Step">Optimizer steps done at the end of them.</param>
/// <param name="Layers">Per layer, tokens by expert.</param>
public sealed record LoadSnapshot(long Step, IReadOnlyList<IReadOnlyList<long>> Layers);

/// <summary>What a run records while it goes. Saved with the cursor, so that a resumed run writes the same report.</summary>
public sealed class TrainingRecord
{
    /// <summary>Loss curve.</summary>
    public List<HistoryPoint> History { get; init; } = [];

    /// <summary>Expert load over the run.</summary>
    public List<LoadSnapshot> Load { get; init; } = [];

    /// <summary>Sum of losses since the last point.</summary>
    public double LossSum { get; set; }

    /// <summary>Steps since the last point.</summary>
    public long LossCount { get; set; }

    /// <summary>6 x active weights x tokens, over all steps: a model that was grown wide uses fewer weights as it goes on.</summary>
    public double Operations { get; set; }

    /// <summary>Losses on held-out text.</summary>
    public List<HeldOutPoint> HeldOut { get; init; } = [];

    /// <summary>What the end of the curve was expected to be.</summary>
    public List<ForecastPoint> Forecasts { get; init; } = [];

    /// <summary>Whether the loss stays where it should.</summary>
    public DivergenceWatch Watch { get; init; } = new();

    /// <summary>Gradient norms of the last steps, oldest first, kept where spikes are skipped.</summary>
    public List<double> GradientNorms { get; init; } = [];

    /// <summary>Steps that were not taken because their gradient norm was a spike.</summary>
    public long SkippedSteps { get; set; }

    /// <summary>Load since the last snapshot.</summary>
    public long[][]? Counts { get; set; }

    /// <summary>Adds one finished step.</summary>
    public void Add(long step, double learningRate, StepOutcome outcome, TrainPlan plan)
    {
        Watch.Add(outcome.Loss);
        LossSum += outcome.Loss;
        LossCount++;
        SkippedSteps += outcome.IsSkipped ? 1 : 0;
        Counts ??= [.. outcome.Counts.Select(layer => new long[layer.Count])];
        for (var layer = 0; layer < Counts.Length; layer++)
        {
            for (var expert = 0; expert < Counts[layer].Length; expert++)
                Counts[layer][expert] += outcome.Counts[layer][expert];
        }
        if ((step + 1) % plan.HistoryEvery == 0 || step + 1 == plan.Steps)
        {
            History.Add(new HistoryPoint
            {
                Step = step + 1,
                Tokens = (step + 1) * plan.TokensPerStep,
                Loss = LossSum / LossCount,
                LearningRate = learningRate,
                GradNorm = outcome.GradientNorm,
                BalanceLoss = outcome.BalanceLoss,
                RouterZLoss = outcome.RouterZLoss,
                MaxViolation = LoadMetrics.MaxViolationOf(outcome.Counts),
                Divergence = outcome.Divergence,
                FeatureDistance = outcome.FeatureDistance,
                Dropped = outcome.Dropped,
                ExpertsPerToken = outcome.ExpertsPerToken,
            });
            (LossSum, LossCount) = (0, 0);
        }
        if ((step + 1) % plan.SnapshotEvery == 0 || step + 1 == plan.Steps)
        {
            Load.Add(new LoadSnapshot(step + 1, Counts));
            Counts = null;
        }
    }
}
