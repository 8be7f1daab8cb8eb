using static TorchSharp.torch;

namespace Espalier.Modeling;

/// <summary>Weights of one decoder layer: views into the decoder's buffer, in the order in which they are used.</summary>
internal sealed record DecoderLayer(int Index)
{
    public required Tensor InputNorm { get; init; }      // (H)
    public required Tensor Query { get; init; }          // (nH D, H)
    public required Tensor Key { get; init; }            // (nKV D, H)
    public required Tensor Value { get; init; }          // (nKV D, H)
    public required Tensor QueryNorm { get; init; }      // (nH D)
    public required Tensor KeyNorm { get; init; }        // (nKV D)
    public required Tensor AttentionOutput { get; init; } // (H, nH D)
    public required Tensor PostNorm { get; init; }       // (H)
    public required Tensor Router { get; init; }         // (E, H)
    public required Tensor? RouterBias { get; init; }    // (E)
    public Tensor? SelectionBias { get; set; }           // (E) float32, no gradient
    public required Tensor GateUp { get; init; }         // (E, 2F, H)
    public required Tensor Down { get; init; }           // (E, H, F)
    public SiblingTable? Siblings { get; init; }
    public int Position { get; set; } = Index;           // in the whole model, when this one is a part of it
}

/// <summary>One expert's weights, as views.</summary>
/// <param name="Gate">(F, H).</param>
/// <param name="Up">(F, H).</param>
/// <param name="Down">(H, F).</param>
public sealed record ExpertWeights(Tensor Gate, Tensor Up, Tensor Down);

/// <summary>Result of a forward pass.</summary>
/// <param name="Logits">(B, S, V) in the compute type.</param>
/// <param name="Routing">Routing of each layer.</param>
public sealed record DecoderOutput(Tensor Logits, IReadOnlyList<RoutingTrace> Routing);
