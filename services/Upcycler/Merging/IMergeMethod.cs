using Espalier.Stages.Methods;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Merging;

/// <summary>A way to make one tensor of several; float64, so that a difference of float32 numbers added again is the number.</summary>
public interface IMergeMethod : IStageMethod
{
    /// <summary>Whether it works on differences from a base.</summary>
    bool NeedsBase { get; }

    /// <summary>How many models it takes; null for any number.</summary>
    int? Models => null;

    /// <summary>Which of the models the result is, bit for bit, whatever the tensors hold; null where it must be computed.</summary>
    int? Identity(MergeOptions options, IReadOnlyList<double> weights) => null;

    /// <summary>Merges one tensor.</summary>
    /// <param name="tensors">Equal in shape.</param>
    /// <param name="options">The step's options.</param>
    /// <returns>Of the same shape, float64 or float32.</returns>
    Tensor Merge(TensorsToMerge tensors, MergeOptions options);
}

/// <summary>The same tensor of several models.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Base">That of the base, float32; null where there is none.</param>
/// <param name="Models">Those of the models, float32.</param>
/// <param name="Weights">One for each model; not divided by anything yet.</param>
public sealed record TensorsToMerge(string Name, Tensor? Base, IReadOnlyList<Tensor> Models, IReadOnlyList<double> Weights)
{
    private const long Part = 1 << 22; // elements in float64 at once, of each model

    /// <summary>Computes element by element, in parts, so that no whole tensor is in float64.</summary>
    /// <param name="merge">Gets a part of the base (or null) and of each model, float64, and where it begins; gives the merged part.</param>
    internal Tensor ByElement(Func<Tensor?, IReadOnlyList<Tensor>, long, Tensor> merge)
    {
        var flat = Models.Select(m => m.reshape(-1)).ToList();
        var source = Base?.reshape(-1);
        var result = empty(flat[0].shape, dtype: float32);
        for (long first = 0; first < result.shape[0]; first += Part)
        {
            using var scope = NewDisposeScope();
            var count = Math.Min(Part, result.shape[0] - first);
            Tensor Of(Tensor whole) => whole.narrow(0, first, count).to(float64);
            result.narrow(0, first, count).copy_(merge(source is null ? null : Of(source), [.. flat.Select(Of)], first));
        }
        return result.view(Models[0].shape);
    }
}
