using static TorchSharp.torch;

namespace Espalier.Modeling;

/// <summary>Weights of one decoder layer: views into the decoder's buffer, in the order in which they are used.</summary>
internal sealed record DecoderLayer(int Index)
{
    public required Tensor InputNorm { get; init; }      // (H)
    public required AttentionWeights Attention { get; init; }
    public required Tensor PostNorm { get; init; }       // (H)
    public MlpWeights? Dense { get; init; }              // instead of all that follows
    public Tensor? Router { get; init; }                 // (E, H)
    public Tensor? RouterBias { get; init; }             // (E)
    public Tensor? SelectionBias { get; set; }           // (E) float32, no gradient
    public Tensor? GateUp { get; init; }                 // (E, 2F, H)
    public Tensor? Down { get; init; }                   // (E, H, F)
    public MlpWeights? Shared { get; init; }
    public Tensor? SharedGate { get; init; }             // (1, H)
    public MlpWeights? Mlp => Dense ?? Shared;           // what every token uses
    public SiblingTable? Siblings { get; init; }
    public int Position { get; set; } = Index;           // in the whole model, when this one is a part of it
}

/// <summary>Projections of one layer's attention. Latent attention has the second group, and no key and value of its own.</summary>
internal sealed record AttentionWeights
{
    public required Tensor Query { get; init; }          // (nH D, H), or (nH D, rq) after the latent vector of queries
    public Tensor? Key { get; init; }                    // (nKV D, H)
    public Tensor? Value { get; init; }                  // (nKV D, H)
    public Tensor? QueryBias { get; init; }              // (nH D)
    public Tensor? KeyBias { get; init; }                // (nKV D)
    public Tensor? ValueBias { get; init; }              // (nKV D)
    public Tensor? QueryNorm { get; init; }              // (nH D) or (D)
    public Tensor? KeyNorm { get; init; }                // (nKV D) or (D)
    public required Tensor Output { get; init; }         // (H, nH D)
    public Tensor? OutputBias { get; init; }             // (H)

    public Tensor? QueryDown { get; init; }              // (rq, H)
    public Tensor? QueryDownBias { get; init; }          // (rq)
    public Tensor? QueryDownNorm { get; init; }          // (rq)
    public Tensor? KeyValueDown { get; init; }           // (rkv + dr, H)
    public Tensor? KeyValueDownBias { get; init; }       // (rkv + dr)
    public Tensor? KeyValueDownNorm { get; init; }       // (rkv)
    public Tensor? KeyValueUp { get; init; }             // (nH (dn + dv), rkv)
}

/// <summary>A SwiGLU MLP that every token uses.</summary>
internal sealed record MlpWeights(string Prefix, Tensor Gate, Tensor Up, Tensor Down); // (I, H), (I, H), (H, I)

/// <summary>One expert's weights, as views.</summary>
/// <param name="Gate">(F, H).</param>
/// <param name="Up">(F, H).</param>
/// <param name="Down">(H, F).</param>
public sealed record ExpertWeights(Tensor Gate, Tensor Up, Tensor Down);

/// <summary>Result of a forward pass.</summary>
/// <param name="Logits">(B, S, V) in the compute type.</param>
/// <param name="Routing">Routing of each MoE layer, ascending; none in a dense model.</param>
public sealed record DecoderOutput(Tensor Logits, IReadOnlyList<RoutingTrace> Routing);
