namespace Espalier.Artifacts.Checkpoints;

/// <summary>
/// Which small tensors share a blob. Every tensor from <see cref="SmallBytes"/> on is a blob of its own. The smaller ones
/// are packed per unit that surgery changes as a whole: one expert, one router, the rest of one layer, the rest of the
/// model. So copying an expert adds no bytes, and a changed router rewrites no norm. Within a pack, tensors follow each
/// other in the order of their names without padding, which makes the pack of a copied expert the same blob.
/// </summary>
internal static class TensorPacking
{
    public const int SmallBytes = 64 << 10;

    /// <summary>The pack that a small tensor belongs to, named by the part of the model it covers.</summary>
    public static string GroupOf(string tensor)
    {
        var parts = tensor.Split('.');
        var layer = -1;
        for (var i = 0; i < parts.Length; i++)
        {
            var isNumbered = i + 1 < parts.Length && parts[i + 1].Length > 0 && parts[i + 1].All(char.IsAsciiDigit);
            if (parts[i] == "experts" && isNumbered)
                return string.Join('.', parts[..(i + 2)]);
            if (parts[i] is "gate" or "router" && i + 1 < parts.Length)
                return string.Join('.', parts[..(i + 1)]);
            if (parts[i] == "layers" && isNumbered && layer < 0)
                layer = i + 2;
        }
        return layer < 0 ? "" : string.Join('.', parts[..layer]);
    }
}
