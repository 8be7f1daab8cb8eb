using static TorchSharp.torch;

namespace Espalier.Modeling.Checkpoints;

/// <summary>Where a model's weights come from, by Hugging Face tensor name. Reading is one tensor at a time, so memory is bounded by the largest.</summary>
public interface IWeightSource
{
    /// <summary>Every tensor name.</summary>
    IReadOnlyCollection<string> Names { get; }

    /// <summary>Element type and shape of one tensor, without reading it.</summary>
    WeightHeader Describe(string name);

    /// <summary>What the file that a tensor comes from calls it, for messages; a name may be asked for that is not there.</summary>
    string NameInFile(string name) => name;

    /// <summary>Reads one tensor in its stored element type, on the CPU. The caller owns it.</summary>
    Tensor Read(string name);
}

/// <summary>What a stored weight is.</summary>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Extents.</param>
public sealed record WeightHeader(ScalarType Type, IReadOnlyList<long> Shape);
