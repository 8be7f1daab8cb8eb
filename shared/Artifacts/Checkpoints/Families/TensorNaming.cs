using System.Text.RegularExpressions;

namespace Espalier.Artifacts.Checkpoints.Families;

/// <summary>
/// How a model family spells tensor names on disk. In the store every family has the same names, those of OLMoE and Qwen, so
/// that surgery, quantization and comparison know one spelling. Names are translated by templates for the start of a name, up to
/// a dot: <c>model.layers.{layer}.mlp.experts.{expert}.up_proj</c>, where <c>{layer}</c> and <c>{expert}</c> stand for numbers.
/// The first template that fits counts; a name that none fits is the same on disk.
/// </summary>
internal sealed partial class TensorNaming
{
    private readonly IReadOnlyList<Rule> _toStore;
    private readonly IReadOnlyList<Rule> _toDisk;
    private readonly IReadOnlyList<Rule> _toStackedDisk;

    /// <param name="names">Template in the store to template on disk.</param>
    /// <param name="stackedNames">The same for files with all experts of a layer in one tensor; null when they agree.</param>
    /// <param name="readAlso">Template on disk to template in the store, for spellings that are read and never written.</param>
    /// <exception cref="FormatException">The two templates of a pair have different numbers.</exception>
    public TensorNaming(
        IReadOnlyDictionary<string, string> names, IReadOnlyDictionary<string, string>? stackedNames = null,
        IReadOnlyDictionary<string, string>? readAlso = null)
    {
        _toDisk = [.. names.Select(pair => Rule.Of(pair.Key, pair.Value))];
        _toStackedDisk = stackedNames is null ? _toDisk : [.. stackedNames.Select(pair => Rule.Of(pair.Key, pair.Value))];
        _toStore =
        [
            .. names.Concat(stackedNames ?? new Dictionary<string, string>()).Select(pair => Rule.Of(pair.Value, pair.Key)),
            .. (readAlso ?? new Dictionary<string, string>()).Select(pair => Rule.Of(pair.Key, pair.Value)),
        ];
    }

    /// <summary>The same names on disk as in the store.</summary>
    public static TensorNaming Common { get; } = new(new Dictionary<string, string>());

    /// <summary>The store's name of a tensor on disk.</summary>
    public string ToStore(string name) => Translate(name, _toStore);

    /// <summary>The family's name on disk of a tensor in the store.</summary>
    /// <param name="name">The store's name.</param>
    /// <param name="isStacked">Whether the files have all experts of a layer in one tensor.</param>
    public string ToDisk(string name, bool isStacked = false) => Translate(name, isStacked ? _toStackedDisk : _toDisk);

    private static string Translate(string name, IReadOnlyList<Rule> rules)
    {
        foreach (var rule in rules)
        {
            if (rule.Pattern.Match(name) is { Success: true } match)
                return match.Result(rule.Replacement) + name[match.Length..];
        }
        return name;
    }

    [GeneratedRegex(@"\\\{(layer|expert)}", RegexOptions.CultureInvariant)]
    private static partial Regex EscapedNumber();

    [GeneratedRegex(@"\{(layer|expert)}", RegexOptions.CultureInvariant)]
    private static partial Regex Number();

    private sealed record Rule(Regex Pattern, string Replacement)
    {
        public static Rule Of(string from, string to)
        {
            if (!Numbers(from).SequenceEqual(Numbers(to)))
                throw new FormatException($"The tensor names '{from}' and '{to}' must have the same numbers, each once.");
            var pattern = EscapedNumber().Replace(Regex.Escape(from), "(?<$1>[0-9]{1,6})");
            return new Rule(new Regex($@"^{pattern}(?=\.|$)", RegexOptions.CultureInvariant), Number()
                .Replace(to.Replace("$", "$$", StringComparison.Ordinal), "$${$1}"));
        }

        private static IEnumerable<string> Numbers(string template) => Number().Matches(template).Select(match => match.Value).Order(StringComparer.Ordinal);
    }
}
