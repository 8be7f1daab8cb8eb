using Espalier.Gguf.Blocks;
using static TorchSharp.torch;

namespace Espalier.Gguf.Files;

/// <summary>A tensor to write: what it is called, and where its weights come from, a part at a time.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Shape">Extents, the widest stride first; the file has them the other way round.</param>
/// <param name="Type">How it is stored.</param>
/// <param name="Parts">Give float tensors that follow each other in memory, such as one for each expert; whoever calls owns them.</param>
internal sealed record GgufTensor(string Name, IReadOnlyList<long> Shape, IBlockType Type, IReadOnlyList<Func<Tensor>> Parts)
{
    /// <summary>Number of weights.</summary>
    public long Weights => Shape.Aggregate(1L, (product, extent) => product * extent);

    /// <summary>Bytes in the file, without filling.</summary>
    public long SizeBytes => Type.SizeOf(Weights);
}
