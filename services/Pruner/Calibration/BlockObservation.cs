using System.Text.Json;
using Espalier.Pruner.Methods;
using static TorchSharp.torch;

namespace Espalier.Pruner.Calibration;

/// <summary>One MoE block's share of one calibration batch of T tokens: what a method sees that needs more than one expert at a time.</summary>
/// <param name="Input">(T, H) input of router and experts, after the norm.</param>
/// <param name="Residual">(T, H) the stream before the block.</param>
/// <param name="Logits">(T, E) router logits, float32.</param>
/// <param name="Gates">(T, K) combine weights as the model uses them, float32.</param>
/// <param name="Experts">The experts that got tokens, ascending.</param>
public sealed record BlockObservation(Tensor Input, Tensor Residual, Tensor Logits, Tensor Gates, IReadOnlyList<ExpertObservation> Experts)
{
    /// <summary>All options of the step as written.</summary>
    public JsonElement Options { get; init; }

    /// <summary>The method's own options.</summary>
    public T Read<T>() where T : new() => ScoreRequest.ReadOptions<T>(Options);
}
