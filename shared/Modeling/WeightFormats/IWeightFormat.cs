using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.WeightFormats;

/// <summary>
/// A way to store weights as codes: how <c>config.json</c> speaks of it, which tensors stand for a matrix, and how they
/// are made and expanded. Formats are found by scanning: a new one is one file. A format has no state.
/// </summary>
public interface IWeightFormat
{
    /// <summary>Name in options, kebab-case.</summary>
    string Name { get; }

    /// <summary>One sentence for <c>--help</c>.</summary>
    string Summary { get; }

    /// <summary>Widths of codes, in bits.</summary>
    IReadOnlyList<int> Bits { get; }

    /// <summary>Whether published readers of models know the format.</summary>
    bool IsPublished => true;

    /// <summary>Whether its codes are floating-point numbers; whole numbers otherwise.</summary>
    bool IsFloatingPoint => false;

    /// <summary>What users of a model in this format have to know; null for nothing.</summary>
    string? Note => null;

    /// <summary>Why codes of this kind cannot be stored, and what can; null when they can.</summary>
    string? Refuse(WeightQuantization quantization) => null;

    /// <summary>The columns of a matrix must be a multiple of this.</summary>
    int ColumnMultiple(WeightQuantization quantization) => 1;

    /// <summary>Whether an object <c>quantization_config</c> speaks of this format.</summary>
    bool Describes(JsonObject entry);

    /// <summary>Reads <c>quantization_config</c>; what is wrong is recorded in <paramref name="entry"/>.</summary>
    /// <returns>Null when it cannot be read.</returns>
    WeightQuantization? Read(ConfigKeys entry);

    /// <summary>Writes <c>quantization_config</c>.</summary>
    JsonObject Write(WeightQuantization quantization);

    /// <summary>
    /// The tensors that stand for one matrix, the codes first. Every name begins with the name of the matrix's module and a dot, so
    /// that experts can be renamed without a look at the format.
    /// </summary>
    /// <param name="weight">Name of the plain weight, <c>MODULE.weight</c>.</param>
    /// <param name="rows">Output channels.</param>
    /// <param name="columns">Input channels.</param>
    /// <param name="quantization">Kind of codes.</param>
    IReadOnlyList<PackedTensor> Layout(string weight, long rows, long columns, WeightQuantization quantization);

    /// <summary>Makes the tensors of <see cref="Layout"/>, in that order; they belong to the caller's dispose scope.</summary>
    /// <param name="codes">What is stored.</param>
    /// <param name="quantization">Kind of codes.</param>
    /// <param name="storedType">Element type of the model's weights, in which scales are stored.</param>
    IReadOnlyList<Tensor> Pack(CodedMatrix codes, WeightQuantization quantization, ScalarType storedType);

    /// <summary>The weights that the stored tensors stand for (rows, columns), in the scales' type; they belong to the caller's dispose scope.</summary>
    /// <param name="weight">Name of the plain weight.</param>
    /// <param name="read">Reads a stored tensor by name.</param>
    /// <param name="quantization">Kind of codes.</param>
    /// <exception cref="InvalidModelException">The tensors do not fit each other.</exception>
    Tensor Unpack(string weight, Func<string, Tensor> read, WeightQuantization quantization);
}

/// <summary>One tensor of a packed matrix.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shape">Extents.</param>
/// <param name="Type">Element type; null for the floating-point type of the model's weights.</param>
public sealed record PackedTensor(string Name, IReadOnlyList<long> Shape, ScalarType? Type)
{
    /// <summary>Its element type in safetensors files, where that is not the name of <see cref="Type"/>.</summary>
    public string? StoredAs { get; init; }

    /// <summary>Size of the tensor in a model whose plain weights have <paramref name="elementBytes"/> each.</summary>
    public long SizeBytes(int elementBytes) =>
        Shape.Aggregate(1L, (product, extent) => product * extent) * Type switch
        {
            null => elementBytes,
            ScalarType.Int8 or ScalarType.Byte or ScalarType.Bool => 1,
            ScalarType.Int16 or ScalarType.Float16 or ScalarType.BFloat16 => 2,
            ScalarType.Int64 or ScalarType.Float64 => 8,
            _ => 4,
        };
}

/// <summary>Codes of a matrix: w = (q - z) * s, one scale s and zero point z per row and group of columns.</summary>
/// <param name="Codes">(rows, columns) whole numbers from -2^(b-1) to 2^(b-1) - 1, or numbers that a floating-point format has.</param>
/// <param name="Scales">(rows, groups); (1, 1) where the matrix has one scale.</param>
/// <param name="ZeroPoints">(rows, groups) whole numbers; null when all are 0.</param>
public sealed record CodedMatrix(Tensor Codes, Tensor Scales, Tensor? ZeroPoints);
