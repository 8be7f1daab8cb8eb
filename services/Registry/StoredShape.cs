using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;

namespace Espalier.Registry;

/// <summary>
/// The shape of a stored model, counted in the headers of its tensors; <c>config.json</c> adds what tensors do not tell: the
/// family, and how many experts a token uses. Models that the decoder does not run are counted all the same.
/// </summary>
internal sealed partial class StoredShape
{
    private const string Packed = ".weight_packed";
    private static readonly string[] BesidePacked = [".weight_scale", ".weight_shape", ".weight_zero_point"];

    // Biases of routers belong to training; published counts leave them out.
    private static readonly string[] NotCounted = [".mlp.gate.bias", ".mlp.gate.e_score_correction_bias"];

    private readonly CheckpointReader _reader;
    private readonly Dictionary<(string Kind, long Rows, long Words), long> _unpacked = [];

    private StoredShape(CheckpointReader reader) => _reader = reader;

    /// <summary>Reads a checkpoint.</summary>
    public static ModelShape Of(CheckpointReader reader) => new StoredShape(reader).Count();

    private ModelShape Count()
    {
        var config = ReadConfig();
        var layers = Number(config, "num_hidden_layers");
        var (total, idle) = (0L, 0L);
        var perToken = Number(config, "num_experts_per_tok") ?? 0;
        var experts = new SortedDictionary<int, Dictionary<int, long>>();
        foreach (var tensor in _reader.Manifest.Tensors.Where(IsWeight))
        {
            var place = Place().Match(tensor.Name);
            var layer = place.Success ? int.Parse(place.Groups["layer"].ValueSpan, CultureInfo.InvariantCulture) : -1;
            if (layers is { } stated && layer >= stated)
                continue; // stored for predicting several tokens, and not run
            var elements = Elements(tensor);
            total += elements;
            if (place.Groups["expert"] is not { Success: true } expert)
                continue;
            if (!experts.TryGetValue(layer, out var sizes))
                experts[layer] = sizes = [];
            var index = int.Parse(expert.ValueSpan, CultureInfo.InvariantCulture);
            sizes[index] = sizes.GetValueOrDefault(index) + elements;
        }
        foreach (var sizes in experts.Values)
            idle += sizes.Values.Sum() / sizes.Count * Math.Max(0, sizes.Count - perToken);
        return new ModelShape
        {
            Family = Text(config, "model_type") ?? "",
            TotalParameters = total,
            ActiveParameters = experts.Count == 0 || perToken == 0 ? total : total - idle,
            Layers = layers ?? 0,
            Experts = experts.Values.Select(sizes => sizes.Count).DefaultIfEmpty().Max(),
            ExpertsPerToken = perToken,
        };
    }

    private bool IsWeight(TensorEntry tensor)
    {
        if (NotCounted.Any(ending => tensor.Name.EndsWith(ending, StringComparison.Ordinal)))
            return false;
        var ending = BesidePacked.FirstOrDefault(e => tensor.Name.EndsWith(e, StringComparison.Ordinal));
        if (ending is null)
            return true;
        var module = tensor.Name[..^ending.Length];
        return _reader.Find(module + Packed) is null && _reader.Find(module + ".weight") is null;
    }

    private long Elements(TensorEntry tensor)
    {
        var stored = tensor.Shape.Aggregate(1L, (product, extent) => product * extent);
        if (!tensor.Name.EndsWith(Packed, StringComparison.Ordinal) || tensor.Shape is not [var rows, var words])
            return stored;
        // Matrices of one kind and size are alike in every layer and expert: one look at their shape is enough.
        var key = (tensor.Name[(tensor.Name[..^Packed.Length].LastIndexOf('.') + 1)..], rows, words);
        if (!_unpacked.TryGetValue(key, out var elements))
            _unpacked[key] = elements = ReadShape(tensor.Name[..^Packed.Length] + BesidePacked[1]) ?? stored;
        return elements;
    }

    private long? ReadShape(string name)
    {
        if (_reader.Find(name) is not { Shape: [2], DType: "I64" or "I32" } entry)
            return null;
        var bytes = new byte[entry.SizeBytes];
        _reader.Read(name, bytes);
        return entry.DType == "I64"
            ? BinaryPrimitives.ReadInt64LittleEndian(bytes) * BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(8))
            : (long)BinaryPrimitives.ReadInt32LittleEndian(bytes) * BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(4));
    }

    private JsonElement ReadConfig()
    {
        try
        {
            return _reader.HasFile("config.json") ? JsonSerializer.Deserialize<JsonElement>(_reader.ReadFile("config.json")) : default;
        }
        catch (JsonException)
        {
            return default;
        }
    }

    private static int? Number(JsonElement config, string key) =>
        config.ValueKind == JsonValueKind.Object && config.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Number
            && value.TryGetInt32(out var number) && number >= 0 ? number : null;

    private static string? Text(JsonElement config, string key) =>
        config.ValueKind == JsonValueKind.Object && config.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;

    [GeneratedRegex(@"^model\.layers\.(?<layer>\d{1,6})\.(mlp\.experts\.(?<expert>\d{1,6})\.)?", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Place();
}
