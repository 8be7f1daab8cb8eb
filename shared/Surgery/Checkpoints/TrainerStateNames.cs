using System.Text.Json.Nodes;
using Espalier.Modeling;
using Espalier.Modeling.Training;

namespace Espalier.Surgery.Checkpoints;

/// <summary>
/// Names in a trainer-state artifact: Adam's moments of every weight by its Hugging Face name, the number of optimizer steps
/// in the properties, and, where experts have been trained for fewer steps than the rest, a count per expert.
/// </summary>
public static class TrainerStateNames
{
    /// <summary>Before the name of a weight: its first moment, float32.</summary>
    public const string FirstMoment = "exp_avg.";

    /// <summary>Before the name of a weight: its second moment, float32.</summary>
    public const string SecondMoment = "exp_avg_sq.";

    /// <summary>Property that holds the optimizer steps taken.</summary>
    public const string Steps = "optimizer-steps";

    /// <summary>Property that holds the name of the optimizer.</summary>
    public const string Optimizer = "optimizer";

    /// <summary>Both prefixes.</summary>
    public static readonly IReadOnlyList<string> Moments = [FirstMoment, SecondMoment];

    /// <summary>The optimizer that made a state: AdamW where it does not say.</summary>
    public static string OptimizerOf(JsonObject? properties) => properties?[Optimizer]?.GetValue<string>() ?? OptimizerNames.AdamW;

    /// <summary>
    /// Steps that the moments of each expert of a layer have seen, (E) I64: those of its matrices, its router row and its
    /// router bias. Left out where all have seen as many as the rest of the model.
    /// </summary>
    public static string ExpertSteps(int layer) => $"steps.{TensorNames.Layer(layer)}mlp.experts";
}
