using System.Runtime.InteropServices;

namespace Espalier.Kernels;

/// <summary>
/// One decoder layer as the kernels see it; mirrors <c>native/layer.h</c>, where each field's shape is stated.
/// T tokens in sequences of S, width H, N query and G key/value heads of width D, E experts of width F, K per token.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
#pragma warning disable CS1591, CA1051 // The header says what each field is.
public unsafe struct LayerArguments
{
    public long Threads;
    public long Tokens, Length, Hidden, Heads, KeyValueHeads, HeadSize, Experts, PerToken, Inner;
    public long IsSigmoid, Normalizes, AddsResidual, Index;
    public long Groups, GroupWidth;
    public long HeadNorm;
    public long Bf16;
    public long Documents;
    public long MlpInner;
    public double Epsilon, RoutedScale;

    public float* InputNorm, Query, Key, Value, QueryNorm, KeyNorm, Output, PostNorm, Router, RouterBias, SelectionBias, GateUp, Down;
    public float* QueryBias, KeyBias, ValueBias;
    public float* MlpGate, MlpUp, MlpDown, MlpScale;
    public long* Members, Sizes;
    public long* DocumentStarts;
    public float* Cosine, Sine;

    public float* InputNormGradient, QueryGradient, KeyGradient, ValueGradient, QueryNormGradient, KeyNormGradient, OutputGradient;
    public float* PostNormGradient, RouterGradient, RouterBiasGradient, GateUpGradient, DownGradient;
    public float* QueryBiasGradient, KeyBiasGradient, ValueBiasGradient, MlpGateGradient, MlpUpGradient, MlpDownGradient, MlpScaleGradient;

    public float* Input, Projected, Context, LogSumExp, Middle, Logits, Gates;
    public long* Selected;
    public int* Order, SortedTokens;
    public long* Counts;
    public float* Halves, MlpHalves;

    public float* Result, ProbabilitySums;
    public double* SquaredLogSumExp;

    public float* Normed, Rotated, InnerProduct, ExpertOutput, SortedGates, MlpProduct;

    public float* Gradient, NormedGradient, ProjectedGradient, ContextGradient, GatesGradient, LogitsGradient, MlpProductGradient, MlpScoresGradient, Partial;
    public float* Balance;
    public double ZScale;
}

/// <summary>Embedding, final norm, output head and cross-entropy; mirrors <c>EkEnds</c> in <c>native/entry.h</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct EndArguments
{
    public long Threads, Tokens, Hidden, Vocabulary;
    public long Bf16;
    public double Epsilon;
    public long* Ids, Targets;
    public float* Embedding, FinalNorm, Head;
    public float* EmbeddingGradient, FinalNormGradient, HeadGradient;
    public float* Stream, Gradient, Normed, Logits;
    public long Rows;
    public float* NormedGradient, Partial, Losses;
    public double Scale;
    public long TeacherHidden;
    public double TeacherEpsilon, Weight, Temperature;
    public float* TeacherNorm, TeacherHead, TeacherStream, TeacherNormed, TeacherLogits, Divergences;
}

/// <summary>AdamW over flat arrays; mirrors <c>EkAdamW</c> in <c>native/entry.h</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct AdamWArguments
{
    public long Threads, Count, Decayed;
    public float* Weights, Gradients, First, Second;
    public double Beta1, Beta2, Epsilon, StepSize, Decay, RootCorrection, GradientScale;
}
#pragma warning restore CS1591, CA1051
