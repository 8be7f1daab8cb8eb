using Espalier.Artifacts.Checkpoints;
using Espalier.Modeling;
using Espalier.Modeling.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Surgery.Checkpoints;

/// <summary>Weights from any source of raw tensor bytes: a safetensors directory or a stored checkpoint.</summary>
public sealed class StoredWeights(ITensorBytes bytes) : IWeightSource
{
    private const long PartBytes = 1 << 30;

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Names => bytes.Names;

    /// <inheritdoc/>
    public WeightHeader Describe(string name)
    {
        var header = bytes.Describe(name);
        return new WeightHeader(ElementTypes.Parse(header.DType, bytes.NameInFile(name)), header.Shape);
    }

    /// <inheritdoc/>
    public string NameInFile(string name) => bytes.NameInFile(name);

    /// <inheritdoc/>
    public Tensor Read(string name)
    {
        var header = bytes.Describe(name);
        var value = empty([.. header.Shape], dtype: ElementTypes.Parse(header.DType, name));
        if (header.SizeBytes <= PartBytes)
            bytes.Read(name, value.bytes);
        else
            ReadInParts(name, value);
        return value;
    }

    /// <summary>Reads a tensor of the same type and size into <paramref name="destination"/>, contiguous and on the CPU, where it lies.</summary>
    public void ReadInto(string name, Tensor destination)
    {
        if (destination.numel() * destination.element_size() != bytes.Describe(name).SizeBytes)
            throw new InvalidModelException($"tensor '{bytes.NameInFile(name)}' has another size than expected");
        ReadInParts(name, destination);
    }

    // A span shows at most 2 GiB.
    private void ReadInParts(string name, Tensor destination)
    {
        using var flat = destination.view(-1);
        var (step, size) = (PartBytes / destination.element_size(), flat.numel());
        for (long first = 0; first < size; first += step)
        {
            using var part = flat.narrow(0, first, Math.Min(step, size - first));
            bytes.ReadRange(name, first * destination.element_size(), part.bytes);
        }
    }
}

/// <summary>Element types under their safetensors names.</summary>
public static class ElementTypes
{
    private static readonly (string Name, ScalarType Type)[] All =
    [
        ("F32", ScalarType.Float32), ("BF16", ScalarType.BFloat16), ("F16", ScalarType.Float16), ("F64", ScalarType.Float64),
        ("I8", ScalarType.Int8), ("U8", ScalarType.Byte), ("I16", ScalarType.Int16), ("I32", ScalarType.Int32), ("I64", ScalarType.Int64),
        ("BOOL", ScalarType.Bool), (Float8.TypeName, ScalarType.Byte), // no type of its own here: its bytes
    ];

    /// <summary>The element type called <paramref name="dtype"/>.</summary>
    /// <exception cref="InvalidModelException">Tensor <paramref name="tensorName"/> has a type that models do not use.</exception>
    public static ScalarType Parse(string dtype, string tensorName)
    {
        foreach (var (name, type) in All)
        {
            if (name == dtype)
                return type;
        }
        throw new InvalidModelException($"tensor '{tensorName}' has element type {dtype}; supported: {string.Join(", ", All.Select(entry => entry.Name))}.");
    }

    /// <summary>The safetensors name of an element type: the first of those that are read as it.</summary>
    public static string NameOf(ScalarType type) => All.First(entry => entry.Type == type).Name;

    /// <summary>The element type that <c>config.json</c> calls <paramref name="weightType"/>: <c>float32</c>, <c>bfloat16</c> or <c>float16</c>.</summary>
    public static ScalarType FromConfig(string weightType) => weightType switch
    {
        "float32" => ScalarType.Float32,
        "bfloat16" => ScalarType.BFloat16,
        "float16" => ScalarType.Float16,
        _ => throw new InvalidModelException($"config.json: 'torch_dtype' is '{weightType}'; supported: float32, bfloat16, float16."),
    };
}
