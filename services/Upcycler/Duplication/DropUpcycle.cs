using Espalier.Upcycler.Planning;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Duplication;

/// <summary>
/// Draws floor(ratio F) neurons anew: rows of gate and up and columns of down, one set of neurons for all three
/// (Drop-Upcycling, arXiv 2502.19261, as stated). The published upcycling code picks columns of gate and up, which are
/// inputs, apart from columns of down, and takes fans from the replaced part, which makes weights too large; the published
/// drop-upcycling code picks neurons for each matrix apart. Fans and spreads here are those of the whole matrix.
/// </summary>
public sealed class DropUpcycle : IExpertDuplication
{
    /// <inheritdoc/>
    public string Name => "drop-upcycle";

    /// <inheritdoc/>
    public string Summary => "A share of the neurons drawn anew, the same ones in gate, up and down (arXiv 2502.19261).";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Distinct;

    /// <inheritdoc/>
    public bool KeepsFunction => false;

    /// <inheritdoc/>
    public bool NeedsPeer => false;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => ["ratio", "initializer"];

    /// <inheritdoc/>
    public Tensor Duplicate(ExpertMatrix matrix, DuplicationOptions options)
    {
        var count = (int)Math.Floor((options.Ratio ?? 0.5) * matrix.Neurons);
        if (count == 0)
            return matrix.Weight.alias();
        var neurons = tensor(matrix.Expert().Sample(matrix.Neurons, count).Select(n => (long)n).ToArray());
        var replaced = matrix.Weight.index_select(matrix.NeuronDimension, neurons);
        var result = matrix.Weight.clone();
        result.index_copy_(matrix.NeuronDimension, neurons, Draw(matrix, replaced, options.Initializer ?? NeuronInitializer.Statistics));
        return result;
    }

    private static Tensor Draw(ExpertMatrix matrix, Tensor replaced, NeuronInitializer initializer)
    {
        var (fanOut, fanIn) = (matrix.Weight.shape[0], matrix.Weight.shape[1]);
        return initializer switch
        {
            NeuronInitializer.Statistics => Normal() * ExpertMatrix.Spread(replaced) + replaced.to(float64).mean().to(float32),
            NeuronInitializer.Normal => Normal() * ExpertMatrix.Spread(matrix.Weight),
            NeuronInitializer.Xavier => Uniform(Math.Sqrt(6.0 / (fanIn + fanOut))),
            NeuronInitializer.Kaiming => Uniform(Math.Sqrt(6.0 / fanIn)),
            _ => throw new ArgumentOutOfRangeException(nameof(initializer), initializer, "Unknown initializer."),
        };

        Tensor Normal() => ExpertMatrix.Normal(matrix.Own, replaced.shape);

        Tensor Uniform(double limit)
        {
            var values = new float[replaced.numel()];
            for (var i = 0; i < values.Length; i++)
                values[i] = (float)matrix.Own.NextSymmetric(limit);
            return tensor(values).view(replaced.shape);
        }
    }
}
