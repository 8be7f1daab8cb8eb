using static TorchSharp.torch;

namespace Espalier.Evaluator.Texts;

/// <summary>Sequences of one length that run together.</summary>
internal interface ITokenBatch
{
    /// <summary>Tokens of a sequence, L.</summary>
    int Length { get; }

    /// <summary>Tokens read, B L.</summary>
    int Tokens { get; }

    /// <summary>What of it counts for progress: tokens, or choices.</summary>
    int Scored { get; }

    /// <summary>(B, L) int64: what the model reads.</summary>
    Tensor Inputs();

    /// <summary>(B L) int64: what it should predict.</summary>
    Tensor Targets();
}
