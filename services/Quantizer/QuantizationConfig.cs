using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Modeling;
using Espalier.Quantizer.Grids;

namespace Espalier.Quantizer;

/// <summary>The <c>config.json</c> of a quantized model.</summary>
internal static class QuantizationConfig
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>As a reader needs it to expand the weights.</summary>
    public static ModelConfig Of(ModelConfig source, QuantizationScheme scheme) =>
        source with { Quantization = new WeightQuantization(scheme.Bits, scheme.GroupSize, scheme.Symmetric) };

    /// <summary>The file, with the modules that keep their weights listed by name and the order of columns recorded.</summary>
    public static byte[] Write(ModelConfig quantized, TargetMatrices targets, bool actOrder)
    {
        var root = JsonNode.Parse(quantized.ToJson())!;
        var entry = root["quantization_config"]!;
        entry["ignore"] = new JsonArray([.. targets.IgnoredModules().Select(module => JsonValue.Create(module))]);
        if (actOrder)
            entry["config_groups"]!["group_0"]!["weights"]!["actorder"] = "weight";
        return JsonSerializer.SerializeToUtf8Bytes(root, Indented);
    }
}
