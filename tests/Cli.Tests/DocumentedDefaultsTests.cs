using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Platform;

namespace Espalier.Cli.Tests;

/// <summary>
/// What the documents call an option's default, against the real one: <c>&lt;value&gt;</c> in the source, and values in
/// parentheses in the description that <c>--help</c> and the schema show. Where leaving an option out means null, the default is
/// what the code puts in its place: <c>options.Mix ?? 0.5</c>.
/// </summary>
public sealed partial class DocumentedDefaultsTests
{
    private static readonly IReadOnlyList<string> Sources = [.. ReadSources()];

    public static TheoryData<string, string> Options
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var (type, property) in OptionTypes().SelectMany(t => OptionsOf(t).Select(p => (t, p))))
                data.Add(type.FullName!, property.Name);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Options))]
    public void Default_AsDocumented_IsTheDefault(string record, string option)
    {
        var type = OptionTypes().Single(t => t.FullName == record);
        var property = type.GetProperty(option)!;
        var value = Activator.CreateInstance(type, nonPublic: true) is { } defaults ? property.GetValue(defaults) : null;
        var documented = ValueTag(type, property);
        var described = Parenthesised().Matches(property.GetCustomAttribute<OptionAttribute>()!.Description).Select(m => m.Groups[1].Value).ToList();
        var real = value is null ? Fallbacks(property) : [Text(value)];

        if (documented is not null && (value is not null || IsLiteral(documented)) && !IsNested(property))
            real.ShouldContain(r => Begins(documented, r), $"{type.Name}.{option} is documented as '{documented}'; it is {string.Join(" or ", real)}");
        if (documented is not null && value is null && real.Count > 0)
            Numbers().Matches(documented).Select(m => Number(m.Value)).Except(real.Select(Number)).ShouldBeEmpty($"{type.Name}.{option}: '{documented}' against {string.Join(", ", real)}");
        described.Select(Number).Except(real.Select(Number)).ShouldBeEmpty($"the description of {type.Name}.{option} against {string.Join(", ", real)}");
    }

    [Fact]
    public void Default_Documents_AreFound() =>
        OptionTypes().Sum(t => OptionsOf(t).Count(p => ValueTag(t, p) is not null)).ShouldBeGreaterThan(100, "else the source is not read as it is written");

    private static IEnumerable<Type> OptionTypes() => Hosting.Stages.All(new EspalierHome(Path.GetTempPath()))
        .Select(s => s.OptionsType.Assembly).Distinct().SelectMany(a => a.GetTypes())
        .Where(t => t is { IsAbstract: false, ContainsGenericParameters: false } && t.GetConstructor(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance, []) is not null && OptionsOf(t).Any());

    private static IEnumerable<PropertyInfo> OptionsOf(Type type) =>
        type.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly).Where(p => p.IsDefined(typeof(OptionAttribute)) && !p.GetCustomAttribute<OptionAttribute>()!.Required);

    /// <summary>A block of options: its documents tell of what is in it.</summary>
    private static bool IsNested(PropertyInfo property) => (Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType).GetProperties().Any(p => p.IsDefined(typeof(OptionAttribute)));

    private static string? ValueTag(Type type, PropertyInfo property)
    {
        var declaration = new Regex($@"\b(record|class) {Regex.Escape(type.Name)}\b");
        var pattern = new Regex($@"<value>(?<value>(?:(?!</value>).)*)</value>\s*\n(?:\s*///[^\n]*\n)*\s*\[Option\((?:(?!\bpublic )[\s\S])*?public [\w<>?,. ]+ {property.Name} \{{");
        foreach (var source in Sources.Where(s => declaration.IsMatch(s)))
        {
            var body = source[declaration.Match(source).Index..];
            if (pattern.Match(body) is { Success: true } match)
                return match.Groups["value"].Value.Replace("<c>", "", StringComparison.Ordinal).Replace("</c>", "", StringComparison.Ordinal).Trim();
        }
        return null;
    }

    /// <summary>Literals that the code takes where an option was left out.</summary>
    private static List<string> Fallbacks(PropertyInfo property)
    {
        var folder = property.DeclaringType!.Assembly.GetName().Name!.Split('.')[^1];
        var sources = Sources.Where(s => s.Contains($"namespace Espalier.{folder}", StringComparison.Ordinal)).ToList();
        var result = new List<string>();
        foreach (Match match in sources.SelectMany(s => new Regex($@"\b{property.Name}\b[^;?\n]{{0,20}}\?\? (?<value>[\w.]+|""[^""]*"")").Matches(s)))
        {
            var text = match.Groups["value"].Value.Trim('"');
            var constants = sources.SelectMany(s => new Regex($@"\b{Regex.Escape(text.Split('.')[^1])}\s*=>?\s*(?<value>[\w.-]+);").Matches(s)).Select(m => m.Groups["value"].Value);
            result.AddRange(IsLiteral(text) ? [text] : constants.Where(IsLiteral));
            if (text.Contains('.', StringComparison.Ordinal) && !char.IsAsciiDigit(text[0]))
                result.Add(JsonNamingPolicy.KebabCaseLower.ConvertName(text.Split('.')[^1]));
        }
        // A noise that is left out is the one of its method.
        if (result.Count > 0 && sources.Any(s => s.Contains($"Default{property.Name} =>", StringComparison.Ordinal)))
            result.AddRange(sources.SelectMany(s => new Regex($@"\bDefault{property.Name} => (?<value>[\w.-]+);").Matches(s)).Select(m => m.Groups["value"].Value));
        return result;
    }

    private static string Text(object value) => value switch
    {
        TimeSpan time => $"{time.TotalSeconds.ToString(CultureInfo.InvariantCulture)}s",
        System.Collections.IEnumerable list and not string => string.Join(", ", list.Cast<object>().Select(Text)),
        _ => JsonSerializer.SerializeToElement(value, WireJson.Options) is { ValueKind: JsonValueKind.String } text ? text.GetString()! : JsonSerializer.Serialize(value, WireJson.Options),
    };

    private static bool IsLiteral(string text) => text is "true" or "false" || double.TryParse(text, CultureInfo.InvariantCulture, out _);

    /// <summary>Whether a document begins with a value: <c>2, unless ...</c> with 2.</summary>
    private static bool Begins(string document, string value)
    {
        var word = document.Split([' ', ';', ','], 2)[0];
        return document == value || word == value || (IsLiteral(word) && Number(word) == Number(value));
    }

    private static string Number(string text) => double.TryParse(text.Replace("_", "", StringComparison.Ordinal), CultureInfo.InvariantCulture, out var number) ? number.ToString("R", CultureInfo.InvariantCulture) : text;

    private static IEnumerable<string> ReadSources()
    {
        var root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Platform.sln")))
            root = Path.GetDirectoryName(root)!;
        return new[] { "services", "shared" }.SelectMany(f => Directory.EnumerateFiles(Path.Combine(root, f), "*.cs", SearchOption.AllDirectories))
            .Where(f => !f.Split(Path.DirectorySeparatorChar).Any(part => part is "obj" or "bin"))
            .Select(File.ReadAllText);
    }

    [GeneratedRegex(@"\((\d[\d.e-]*|true|false)\)")]
    private static partial Regex Parenthesised();

    [GeneratedRegex(@"(?<![\w.])\d+(\.\d+)?(e-?\d+)?(?![\w%])")]
    private static partial Regex Numbers();
}
