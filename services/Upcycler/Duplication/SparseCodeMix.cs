using Espalier.Upcycler.Planning;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Duplication;

/// <summary>
/// W' = D C' for a random dictionary D with unit columns, codes C of W and of another expert by iterative shrinkage
/// (minimise ||W - D C||^2 / 2 + sparsity |C|), and floor(ratio words) rows of C taken from the other's (Expert Upcycling,
/// arXiv 2604.19835; 512 words, sparsity 0.1, ratio 0.3, 100 steps). The dictionary is random and has at most as many words
/// as W has rows, so this never is exact. Step 1/||D^T D||_F and threshold step sparsity ||W||_F/columns are the published
/// ones; the published code never hands over the other expert.
/// </summary>
public sealed class SparseCodeMix : IExpertDuplication
{
    /// <inheritdoc/>
    public string Name => "sparse-code-mix";

    /// <inheritdoc/>
    public string Summary => "Some sparse codes of another expert (arXiv 2604.19835, corrected).";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Distinct;

    /// <inheritdoc/>
    public bool KeepsFunction => false;

    /// <inheritdoc/>
    public bool NeedsPeer => true;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => ["dictionary", "sparsity", "ratio", "iterations"];

    /// <inheritdoc/>
    public Tensor Duplicate(ExpertMatrix matrix, DuplicationOptions options)
    {
        var (rows, columns) = (matrix.Weight.shape[0], matrix.Weight.shape[1]);
        var words = (int)Math.Min(options.Dictionary ?? 512, rows);
        var raw = ExpertMatrix.Normal(matrix.Own, rows, words);
        var dictionary = raw / raw.norm(0, true);                                                       // (rows, words)
        var codes = Encode(matrix.Weight, dictionary, options);                                         // (words, columns)
        var count = (int)Math.Floor((options.Ratio ?? 0.3) * words);
        if (count > 0)
        {
            var swapped = tensor(matrix.Own.Sample(words, count).Select(i => (long)i).ToArray());
            codes.index_copy_(0, swapped, Encode(matrix.Peer(), dictionary, options).index_select(0, swapped));
        }
        return dictionary.matmul(codes);
    }

    private static Tensor Encode(Tensor weight, Tensor dictionary, DuplicationOptions options)
    {
        using var scope = NewDisposeScope();
        var gram = dictionary.t().matmul(dictionary);                                                   // (words, words)
        var step = 1 / gram.norm().item<float>();
        var threshold = step * (options.Sparsity ?? 0.1) * weight.norm().item<float>() / weight.shape[1];
        var target = dictionary.t().matmul(weight);                                                     // (words, columns)
        var codes = zeros_like(target);
        for (var i = 0; i < (options.Iterations ?? 100); i++)
        {
            using var inner = NewDisposeScope();
            var moved = codes - (gram.matmul(codes) - target) * step;
            codes.copy_(moved.sign() * (moved.abs() - threshold).clamp_min(0));
        }
        return codes.MoveToOuterDisposeScope();
    }
}
