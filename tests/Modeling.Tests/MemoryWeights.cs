using Espalier.Modeling.Checkpoints;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests;

/// <summary>Weights in memory, for loading tests; frees them at the end.</summary>
internal sealed class MemoryWeights : IWeightSource, IDisposable
{
    public Dictionary<string, Tensor> Tensors { get; } = [];

    public IReadOnlyCollection<string> Names => Tensors.Keys;

    public static MemoryWeights Of(MoeDecoder decoder)
    {
        var weights = new MemoryWeights();
        foreach (var (name, value) in decoder.ExportWeights())
        {
            using (value)
                weights.Tensors[name] = value.clone().DetachFromDisposeScope();
        }
        return weights;
    }

    public void Replace(string name, Tensor? value)
    {
        if (Tensors.Remove(name, out var old))
            old.Dispose();
        if (value is not null)
            Tensors[name] = value.DetachFromDisposeScope();
    }

    public WeightHeader Describe(string name) => new(Tensors[name].dtype, Tensors[name].shape);

    public Tensor Read(string name) => Tensors[name].clone();

    public void Dispose()
    {
        foreach (var value in Tensors.Values)
            value.Dispose();
    }
}
