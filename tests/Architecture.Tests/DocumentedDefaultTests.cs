using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Espalier.Architecture.Tests;

/// <summary>
/// A property's documented default (<c>&lt;value&gt;</c>) is its real one. Only defaults that are one word or number are compared;
/// a sentence says what the code works out.
/// </summary>
public sealed partial class DocumentedDefaultTests
{
    private static readonly string Root = FindRoot();

    private static readonly IReadOnlyList<(string File, string Text)> Sources =
    [
        .. from folder in new[] { "services", "shared" }
           from file in Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories)
           where !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
           select (Path.GetRelativePath(Root, file), File.ReadAllText(file)),
    ];

    [Fact]
    public void Value_OfEveryProperty_IsItsDefault()
    {
        var constants = Sources.SelectMany(source => Constant().Matches(source.Text)).ToLookup(m => m.Groups["name"].Value, m => m.Groups["value"].Value);
        var documented = Sources.SelectMany(source => Property().Matches(source.Text), (source, match) => (source.File, Match: match)).ToList();

        var wrong = documented
            .Select(d => (d.File, Name: d.Match.Groups["name"].Value, Documented: d.Match.Groups["documented"].Value, Real: RealDefault(d.Match, constants)))
            .Where(d => d.Real is not null && d.Real != Number(d.Documented))
            .Select(d => $"{d.File}: {d.Name} is documented as {d.Documented} and is {d.Real}");

        documented.Count.ShouldBeGreaterThan(100);
        wrong.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("int", "8", "8")]
    [InlineData("double", "1_000.50", "1000.5")]
    [InlineData("bool", "", "false")]
    [InlineData("string", "\"wsd\"", "wsd")]
    [InlineData("Kind", "Kind.PerHead", "per-head")]
    public void RealDefault_OfAnInitializer_IsAsPeopleWriteIt(string type, string initializer, string expected)
    {
        var text = $"/// <value>x</value>\n    public {type} Name {{ get; init; }}{(initializer.Length == 0 ? "" : $" = {initializer};")}\n";

        RealDefault(Property().Match(text), Array.Empty<string>().ToLookup(s => s)).ShouldBe(expected);
    }

    // Null when the default is worked out elsewhere.
    private static string? RealDefault(Match property, ILookup<string, string> constants)
    {
        var (type, initializer) = (property.Groups["type"].Value, property.Groups["initializer"].Value.Trim());
        if (initializer.Length == 0)
            return type switch { "bool" => "false", "int" or "long" or "double" => "0", _ => null };
        if (initializer is "true" or "false")
            return initializer;
        if (char.IsAsciiDigit(initializer[0]) || initializer[0] == '-')
            return Number(initializer.TrimEnd('L'));
        if (initializer is ['"', .. var text, '"'])
            return text.Length == 0 ? null : text; // documented as none or empty
        var last = initializer.Split('.')[^1];
        if (!Identifier().IsMatch(initializer))
            return null; // an expression
        if (initializer == $"{type}.{last}")
            return JsonNamingPolicy.KebabCaseLower.ConvertName(last); // a value of the property's own type, whatever constants are called alike
        return constants[last].Distinct().ToList() switch
        {
            [] => initializer.Contains('.', StringComparison.Ordinal) ? JsonNamingPolicy.KebabCaseLower.ConvertName(last) : null,
            [var constant] => Number(constant.Trim('"')),
            _ => null, // several constants of that name
        };
    }

    private static string Number(string text) =>
        double.TryParse(text.Replace("_", "", StringComparison.Ordinal).Replace(",", "", StringComparison.Ordinal),
            NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            ? number.ToString("R", CultureInfo.InvariantCulture)
            : text;

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Platform.sln")))
            folder = folder.Parent;
        return folder.FullName;
    }

    // The documentation, attributes of any number, then the property.
    [GeneratedRegex(
        @"/// <value>(?<documented>[^\s<]+)</value>\s*\n(?:\s*(?:///[^\n]*|\[[^\n]*\])\n)*\s*"
            + @"public (?:required )?(?<type>[\w<>.?]+) (?<name>\w+) \{ get; (?:init|set); \}(?: = (?<initializer>[^;\n]+);)?",
        RegexOptions.CultureInvariant)]
    private static partial Regex Property();

    [GeneratedRegex(@"const \w+ (?<name>\w+) = (?<value>""[^""]*""|[\w.]+);", RegexOptions.CultureInvariant)]
    private static partial Regex Constant();

    [GeneratedRegex(@"^[A-Za-z_][\w.]*$", RegexOptions.CultureInvariant)]
    private static partial Regex Identifier();
}
