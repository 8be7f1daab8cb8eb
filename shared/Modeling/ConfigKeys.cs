using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Modeling.WeightFormats;

namespace Espalier.Modeling;

/// <summary>Reads typed values from <c>config.json</c> and collects what is wrong, so that one error names every problem.</summary>
/// <param name="root">The object.</param>
/// <param name="path">Where it is in the file, with a dot at the end.</param>
/// <param name="problems">Where problems go.</param>
/// <param name="family">Family whose names of keys messages use.</param>
public sealed class ConfigKeys(JsonObject root, string path = "", List<string>? problems = null, ModelFamily? family = null)
{
    private static readonly string[] RopeTypes = ["linear", "dynamic", "llama3", "yarn"]; // as in RopeScalingKind

    private readonly List<string> _problems = problems ?? [];

    /// <summary>The object itself.</summary>
    public JsonObject Root => root;

    /// <summary>Whether there is no key.</summary>
    public bool IsEmpty => root.Count == 0;

    /// <summary>Whether the key is there and does not say null.</summary>
    public bool Has(string key) => root.TryGetPropertyValue(key, out var value) && value is not null;

    /// <summary>Whether the key is there and says null.</summary>
    public bool IsNull(string key) => root.TryGetPropertyValue(key, out var value) && value is null;

    /// <summary>Records what is wrong with a key, under the name that the family's files have for it.</summary>
    public void Problem(string key, string what) => _problems.Add($"config.json: '{path}{family?.Keys.GetValueOrDefault(key) ?? key}' {what}.");

    /// <summary>Whether anything is wrong so far.</summary>
    public bool HasProblems => _problems.Count > 0;

    /// <summary>Refuses the file when anything is wrong with it.</summary>
    /// <exception cref="InvalidModelException">Every problem, one per line.</exception>
    public void ThrowIfAny()
    {
        if (_problems.Count > 0)
            throw new InvalidModelException(string.Join(Environment.NewLine, _problems.Distinct()));
    }

    /// <summary>The object under a key; null when it is absent, or something else, which is recorded.</summary>
    public ConfigKeys? Child(string key)
    {
        if (!Has(key))
            return null;
        if (root[key] is JsonObject child)
            return new ConfigKeys(child, $"{path}{key}.", _problems);
        Problem(key, "must be an object");
        return null;
    }

    /// <summary>A required whole number; 0 stands in when it is wrong, and the problem is recorded.</summary>
    public int Count(string key, int minimum, int maximum)
    {
        if (!Has(key))
            Problem(key, "is missing");
        else if (root[key] is JsonValue value && TryInteger(value, out var number))
        {
            if (number >= minimum && number <= maximum)
                return (int)number;
            Problem(key, $"is {number}; allowed: {minimum} to {maximum}");
        }
        else
            Problem(key, "must be a whole number");
        return 0;
    }

    /// <summary>One number that goes by several names; they must agree.</summary>
    public int FirstCount(string[] names, int minimum, int maximum)
    {
        var present = names.Where(Has).ToList();
        if (present.Count == 0)
            return Count(names[0], minimum, maximum);
        var values = present.Select(name => Count(name, minimum, maximum)).ToList();
        if (values.Distinct().Count() > 1)
            Problem(present[0], $"disagrees with '{present[1]}': {values[0]} against {values[1]}");
        return values[0];
    }

    /// <summary>A number within limits; <paramref name="fallback"/> when it is absent or wrong.</summary>
    public double Number(string key, double fallback, double minimum, double maximum)
    {
        if (!Has(key))
            return fallback;
        if (root[key] is not JsonValue value || value.GetValueKind() != JsonValueKind.Number)
        {
            Problem(key, "must be a number");
            return fallback;
        }
        var number = value.Deserialize<double>();
        if (number >= minimum && number <= maximum)
            return number;
        Problem(key, $"is {number}; allowed: {minimum} to {maximum}");
        return fallback;
    }

    /// <summary>True or false; <paramref name="fallback"/> when it is absent or wrong.</summary>
    public bool Flag(string key, bool fallback)
    {
        if (!Has(key))
            return fallback;
        if (root[key] is JsonValue value && value.TryGetValue<bool>(out var flag))
            return flag;
        Problem(key, "must be true or false");
        return fallback;
    }

    /// <summary>A text; <paramref name="fallback"/> when it is absent or wrong.</summary>
    public string? Text(string key, string? fallback)
    {
        if (!Has(key))
            return fallback;
        if (root[key] is JsonValue value && value.TryGetValue<string>(out var text))
            return text;
        Problem(key, "must be a text");
        return fallback;
    }

    /// <summary>Position of the value among the allowed words; 0 when the key is absent.</summary>
    public int Choice(string key, string[] words)
    {
        var word = Text(key, words[0]);
        var index = Array.IndexOf(words, word);
        if (index < 0)
            Problem(key, $"is '{word}'; allowed: {string.Join(", ", words)}");
        return Math.Max(index, 0);
    }

    /// <summary>A whole number or the first of a list of them.</summary>
    public int? FirstOf(string key)
    {
        if (!Has(key))
            return null;
        var node = root[key] is JsonArray { Count: > 0 } list ? list[0] : root[key];
        if (node is JsonValue value && TryInteger(value, out var number) && number is >= 0 and <= int.MaxValue)
            return (int)number;
        Problem(key, "must be a token id or a list of them");
        return null;
    }

    /// <summary>A list of texts, or null when the key is absent or holds something else.</summary>
    public IReadOnlyList<string>? Texts(string key) =>
        root[key] is JsonArray list && list.All(v => v is JsonValue value && value.GetValueKind() == JsonValueKind.String)
            ? [.. list.Select(v => v!.GetValue<string>())] : null;

    /// <summary>Distinct whole numbers from 0 to below a limit, ascending.</summary>
    public List<int> Integers(string key, int limit)
    {
        var numbers = (root[key] as JsonArray ?? [null]).Select(v => v is JsonValue value && TryInteger(value, out var n) && n >= 0 && n < limit ? (int)n : -1)
            .Distinct().Order().ToList();
        if (numbers.Remove(-1))
            Problem(key, limit == int.MaxValue ? "must list layers, from 0" : $"must list layers from 0 to {limit - 1}");
        return numbers;
    }

    /// <summary>Per layer, a group number for each expert; groups are numbered from 0 without gaps. Rows that have none are empty.</summary>
    public IReadOnlyList<IReadOnlyList<int>>? IntegerTable(string key, int rows, int columns, Func<int, bool> hasRow)
    {
        if (!Has(key))
            return null;
        var table = new List<IReadOnlyList<int>>();
        foreach (var row in root[key] as JsonArray ?? [])
        {
            var values = (row as JsonArray ?? []).Select(v => v is JsonValue value && TryInteger(value, out var n) && n >= 0 && n < columns ? (int)n : -1)
                .ToList();
            if (hasRow(table.Count) ? values.Count != columns || values.Contains(-1) || values.Distinct().Count() != values.Max() + 1 : values.Count > 0)
                Problem(key, hasRow(table.Count)
                    ? $"layer {table.Count} must list the group of each of the {columns} experts, numbered from 0 without gaps"
                    : $"layer {table.Count} is dense and must have an empty list");
            table.Add(values);
        }
        if (table.Count != rows)
            Problem(key, $"has {table.Count} layers; num_hidden_layers is {rows}");
        return table;
    }

    /// <summary>The rotary base and how angles are stretched, under the old or the new spelling.</summary>
    public (double Theta, RopeScaling? Scaling) Rope(double fallback, int positions)
    {
        var theta = Number("rope_theta", fallback, 1, 1e12);
        // a non-empty rope_scaling wins over rope_parameters
        foreach (var key in (string[])["rope_scaling", "rope_parameters"])
        {
            if (Child(key) is not { IsEmpty: false } rope)
                continue;
            if (rope.Has("full_attention") || rope.Has("sliding_attention"))
                rope.Problem("full_attention", "gives layers angles of their own, which is not supported");
            return (rope.Number("rope_theta", theta, 1, 1e12), rope.RopeScaling(positions));
        }
        return (theta, null);
    }

    private RopeScaling? RopeScaling(int positions)
    {
        var spelling = Has("rope_type") ? "rope_type" : "type";
        var type = Text(spelling, "default");
        if (type == "default")
            return null;
        var kind = Array.IndexOf(RopeTypes, type);
        if (kind < 0)
        {
            Problem(spelling, $"is '{type}'; supported: default, {string.Join(", ", RopeTypes)}");
            return null;
        }
        if (Number("partial_rotary_factor", 1, 0, 1) != 1)
            Problem("partial_rotary_factor", "is not 1; heads that are rotated in part are not supported");
        if (!Has("factor"))
            Problem("factor", "is missing");
        return new RopeScaling
        {
            Kind = (RopeScalingKind)kind,
            Factor = Number("factor", 1, 1e-6, 1e6),
            OriginalPositions = Has("original_max_position_embeddings") && kind != (int)RopeScalingKind.Dynamic
                ? Count("original_max_position_embeddings", 1, 1 << 26) : positions,
            LowFrequencyFactor = Number("low_freq_factor", 1, 1e-6, 1e6),
            HighFrequencyFactor = Number("high_freq_factor", 4, 1e-6, 1e6),
            BetaFast = Number("beta_fast", 32, 1e-6, 1e6),
            BetaSlow = Number("beta_slow", 1, 1e-6, 1e6),
            Truncates = Flag("truncate", true),
            StatedAttentionFactor = Has("attention_factor") ? Number("attention_factor", 1, 0, 1e6) : null,
            Scale = Number("mscale", 0, 0, 1e6),
            ScaleAllDimensions = Number("mscale_all_dim", 0, 0, 1e6),
        };
    }

    internal string WeightType()
    {
        var type = (Text("dtype", null) ?? Text("torch_dtype", "float32"))!.Replace("torch.", "", StringComparison.Ordinal);
        if (type is not ("float32" or "bfloat16" or "float16"))
            Problem(Has("dtype") ? "dtype" : "torch_dtype", $"is '{type}'; supported: float32, bfloat16, float16");
        return type;
    }

    internal WeightQuantization? Quantization()
    {
        if (Child("quantization_config") is not { } entry)
            return null;
        var format = WeightFormat.All.FirstOrDefault(format => format.Describes(entry.Root));
        if (format is null)
        {
            entry.Problem("format", $"is '{entry.Text("quant_method", "")}/{entry.Text("format", "")}'; supported: "
                + $"{string.Join(", ", WeightFormat.All.Select(Spelling))}");
            return null;
        }
        return format.Read(entry) is { } read ? read with { Format = format.Name } : null;

        static string Spelling(IWeightFormat format)
        {
            var written = format.Write(new WeightQuantization(format.Bits[0], -1, Symmetric: true));
            return $"{written["quant_method"]}/{written["format"]}";
        }
    }

    /// <summary>The objects under all keys; what is something else is recorded.</summary>
    public IReadOnlyList<ConfigKeys> Children() => [.. root.Select(entry => Child(entry.Key)).OfType<ConfigKeys>()];

    private static bool TryInteger(JsonValue value, out long number)
    {
        number = 0;
        if (value.GetValueKind() != JsonValueKind.Number)
            return false;
        var real = value.Deserialize<double>();
        number = (long)real;
        return real == Math.Floor(real) && Math.Abs(real) < 1e15;
    }
}
