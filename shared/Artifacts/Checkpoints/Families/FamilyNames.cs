using System.Text.RegularExpressions;

namespace Espalier.Artifacts.Checkpoints.Families;

/// <summary>
/// How model families spell tensor names on disk. In the store every family has the same names, those of OLMoE and Qwen,
/// so that surgery, quantization and comparison know one spelling.
/// </summary>
internal static partial class FamilyNames
{
    /// <summary>The store's name of a tensor on disk.</summary>
    public static string ToStore(string? family, string name) => family switch
    {
        "mixtral" => MixtralExpert().Replace(name.Replace(".block_sparse_moe.", ".mlp.", StringComparison.Ordinal), m => $"{m.Groups[1].Value}{m.Groups[2].Value switch
        {
            "w1" => "gate_proj",
            "w2" => "down_proj",
            _ => "up_proj",
        }}."),
        "deepseek" or "deepseek_v2" or "deepseek_v3" => name.Replace(".mlp.shared_experts.", ".mlp.shared_expert.", StringComparison.Ordinal),
        _ => name,
    };

    /// <summary>The family's name on disk of a tensor in the store.</summary>
    public static string ToDisk(string? family, string name) => family switch
    {
        "mixtral" => StoredMixture().Replace(name, m => $"{m.Groups[1].Value}.block_sparse_moe.{m.Groups[2].Value}{m.Groups[3].Value}{m.Groups[4].Value switch
        {
            "gate_proj" => "w1",
            "down_proj" => "w2",
            "up_proj" => "w3",
            _ => "",
        }}."),
        "deepseek" or "deepseek_v2" or "deepseek_v3" => name.Replace(".mlp.shared_expert.", ".mlp.shared_experts.", StringComparison.Ordinal),
        _ => name,
    };

    /// <summary>Layer prefix and part of a tensor that holds all experts of a layer: <c>gate_up_proj</c> or <c>down_proj</c>.</summary>
    public static (string Prefix, string Part)? FindStacked(string name) =>
        Stacked().Match(name) is { Success: true } match ? (match.Groups[1].Value, match.Groups[2].Value) : null;

    /// <summary>Layer prefix, number and part of one expert's plain weight.</summary>
    public static (string Prefix, int Expert, string Part)? FindExpert(string name) =>
        SingleExpert().Match(name) is { Success: true } match
            ? (match.Groups[1].Value, int.Parse(match.Groups[2].ValueSpan, System.Globalization.CultureInfo.InvariantCulture), match.Groups[3].Value)
            : null;

    [GeneratedRegex(@"(\.mlp\.experts\.[0-9]{1,6}\.)(w1|w2|w3)\.", RegexOptions.CultureInvariant)]
    private static partial Regex MixtralExpert();

    [GeneratedRegex(@"^(model\.layers\.[0-9]{1,6})\.mlp\.(?:(gate)|(experts\.[0-9]{1,6}\.)(gate_proj|up_proj|down_proj))\.", RegexOptions.CultureInvariant)]
    private static partial Regex StoredMixture();

    [GeneratedRegex(@"^(model\.layers\.[0-9]{1,6}\.mlp\.experts\.)(gate_up_proj|down_proj)$", RegexOptions.CultureInvariant)]
    private static partial Regex Stacked();

    [GeneratedRegex(@"^(model\.layers\.[0-9]{1,6}\.mlp\.experts\.)([0-9]{1,6})\.(gate_proj|up_proj|down_proj)\.weight$", RegexOptions.CultureInvariant)]
    private static partial Regex SingleExpert();
}
