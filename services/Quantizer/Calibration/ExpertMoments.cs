using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Espalier.Quantizer.Calibration;

/// <summary>Moments of one expert's two inputs: of gate and up, and of down.</summary>
internal sealed class ExpertMoments : IDisposable
{
    private ExpertMoments(int expert) => Expert = expert;

    /// <summary>Which expert.</summary>
    public int Expert { get; }

    /// <summary>Of the block's input, as far as the expert gets it.</summary>
    public MomentSum Input { get; } = new();

    /// <summary>Of the input of its down projection.</summary>
    public MomentSum Hidden { get; } = new();

    /// <summary>Runs the expert again on what it got, batch by batch.</summary>
    /// <param name="expert">Which.</param>
    /// <param name="weights">Its weights, which are disposed.</param>
    /// <param name="blocks">What came into the block.</param>
    /// <param name="everyToken">Whether it gets every token; then its input's moments are not formed, since all experts share them.</param>
    public static ExpertMoments Of(int expert, ExpertWeights weights, IEnumerable<BlockInputs> blocks, bool everyToken)
    {
        var moments = new ExpertMoments(expert);
        foreach (var block in blocks)
        {
            using var scope = NewDisposeScope();
            if ((everyToken ? (block.Input, null) : block.Of(expert)) is not ({ } input, var gates)) // (T_e, H) and (T_e)
                continue;
            var hidden = silu(linear(input, weights.Gate)) * linear(input, weights.Up); // (T_e, F)
            if (!everyToken)
                moments.Input.Add(Weighted(input, gates));
            moments.Hidden.Add(Weighted(hidden, gates));
        }
        weights.Gate.Dispose();
        weights.Up.Dispose();
        weights.Down.Dispose();
        return moments;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Input.Dispose();
        Hidden.Dispose();
    }

    private static Tensor Weighted(Tensor inputs, Tensor? gates) => gates is null ? inputs : inputs.to(float32) * gates.to(float32).unsqueeze(1);
}
