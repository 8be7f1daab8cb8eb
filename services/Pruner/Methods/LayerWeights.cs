using Espalier.Modeling;
using Espalier.Modeling.Checkpoints;
using Espalier.Modeling.WeightFormats;
using static TorchSharp.torch;

namespace Espalier.Pruner.Methods;

/// <summary>
/// The weights of one layer for methods that look at them: read when they are asked for, one tensor at a time, expanded when they are stored
/// packed.
/// </summary>
/// <param name="config">Configuration of the model.</param>
/// <param name="source">The stored tensors.</param>
/// <param name="layer">Index of the layer.</param>
public sealed class LayerWeights(ModelConfig config, IWeightSource source, int layer)
{
    /// <summary>One projection of one expert, float32; the caller's dispose scope takes it.</summary>
    /// <param name="expert">Expert index.</param>
    /// <param name="projection"><c>gate</c> (F, H), <c>up</c> (F, H) or <c>down</c> (H, F).</param>
    /// <exception cref="InvalidModelException">The tensor is missing, or its packed parts do not fit each other.</exception>
    public Tensor Expert(int expert, string projection) => Read(TensorNames.Expert(layer, expert, projection));

    /// <summary>The router (E, H), float32; the caller's dispose scope takes it.</summary>
    public Tensor Router() => Read(TensorNames.Router(layer));

    private Tensor Read(string name)
    {
        using var scope = NewDisposeScope();
        return StoredMatrix.Read(config, source, name).to(float32).MoveToOuterDisposeScope();
    }
}
