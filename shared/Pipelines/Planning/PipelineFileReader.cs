using System.Text.RegularExpressions;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Text;
using Espalier.Pipelines.Triggers;
using FluentValidation;
using Espalier.Contracts;

namespace Espalier.Pipelines.Planning;

/// <summary>The top of a pipeline file, apart from the blocks that have readers of their own.</summary>
internal sealed record PipelineHeader
{
    [Option("the pipeline's name, such as grow-then-shrink", Required = true)]
    public string Name { get; init; } = "";

    [Option("What the pipeline is for, for people.")]
    public string Description { get; init; } = "";
}

/// <summary>Rules of the top.</summary>
internal sealed class PipelineHeaderValidator : AbstractValidator<PipelineHeader>
{
    private const int LongestDescription = 10_000;

    public PipelineHeaderValidator()
    {
        RuleFor(header => header.Name).Must(StepNames.IsValid).WithMessage("'name' must be " + StepNames.Rule);
        RuleFor(header => header.Description).MaximumLength(LongestDescription)
            .WithMessage($"'description' may have {LongestDescription} characters at most");
    }
}

/// <summary>What steps, parameters and pipelines may be called.</summary>
internal static partial class StepNames
{
    public const string Rule = "lower-case letters, digits and single hyphens, starting with a letter, at most 100 characters";

    public static bool IsValid(string name) => name.Length <= 100 && Kebab().IsMatch(name);

    [GeneratedRegex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Kebab();
}

/// <summary>Reads the structure of a pipeline file.</summary>
internal static class PipelineFileReader
{
    /// <summary>Keys of one's own, as a place for anchors.</summary>
    private const string OwnKeys = "x-";

    private static readonly string[] Keys = ["name", "description", "params", "defaults", "stages", "on", "notify"];
    private static readonly OptionSchema Header = OptionSchema.For(typeof(PipelineHeader));

    public static PipelineFile Read(
        PlacedNode root, IReadOnlyDictionary<string, string> parameters, IReadOnlyCollection<TriggerKind> triggers, ProblemList problems)
    {
        if (root.Kind != NodeKind.Map)
        {
            problems.Add(root, $"a pipeline is a map with 'name' and 'stages'; found {root.Describe()}");
            problems.ThrowIfAny();
        }
        foreach (var entry in root.Entries.Where(e => !Keys.Contains(e.Key) && !e.Key.StartsWith(OwnKeys, StringComparison.Ordinal)))
            problems.Add(entry, $"unknown key '{entry.Key}': {NearestWord.Hint(entry.Key, Keys)}");
        var head = root with { Entries = [.. root.Entries.Where(e => e.Key is "name" or "description")] };
        var header = OptionReader.Read(Header, head, problems, typeof(PipelineHeader)).Values;
        var values = ReadParameters(root, parameters, problems);
        return new PipelineFile
        {
            Name = header["name"]?.GetValue<string>() ?? "",
            Description = header["description"]?.GetValue<string>() ?? "",
            Defaults = MapOf(root, "defaults", problems),
            Parameters = values,
            Stages = ReadStages(root, problems),
            Triggers = new TriggerReader(triggers, values.Keys, problems).Read(root.Find("on")),
            Notices = NotifyReader.Read(root.Find("notify"), problems),
        };
    }

    private static Dictionary<string, PlacedNode> ReadParameters(PlacedNode root, IReadOnlyDictionary<string, string> given, ProblemList problems)
    {
        var result = new Dictionary<string, PlacedNode>();
        foreach (var entry in MapOf(root, "params", problems))
        {
            if (!StepNames.IsValid(entry.Key))
                problems.Add(entry, $"a parameter's name must be {StepNames.Rule}");
            if (entry.Value.Kind == NodeKind.Null && !given.ContainsKey(entry.Key))
                problems.Add(entry, $"parameter '{entry.Key}' has no value: give one here, or at the start with --param {entry.Key}=VALUE");
            var value = given.TryGetValue(entry.Key, out var text) ? FromCommandLine(text, entry) : entry.Value;
            result[entry.Key] = Plain(entry.Key, value, problems);
        }
        foreach (var name in given.Keys.Where(n => !result.ContainsKey(n)))
            problems.Add(1, 1, $"--param {name}: the pipeline has no such parameter: {NearestWord.Hint(name, result.Keys)}");
        return result;
    }

    /// <summary>The value; reported when it would have to be made of something else.</summary>
    private static PlacedNode Plain(string name, PlacedNode value, ProblemList problems)
    {
        if (ReferenceIn(value) is not { } reference)
            return value;
        problems.Add(
            reference, $"parameter '{name}' holds {reference.Describe()}: a parameter is a plain value and cannot be made of others; "
                + "write the value here, and ${...} in the steps");
        return value with { IsReported = true };
    }

    private static PlacedNode? ReferenceIn(PlacedNode node) => node.Kind switch
    {
        NodeKind.Text => node.Text.Replace("$${", "", StringComparison.Ordinal).Contains("${", StringComparison.Ordinal) ? node : null,
        NodeKind.List => node.Items.Select(ReferenceIn).FirstOrDefault(n => n is not null),
        NodeKind.Map => node.Entries.Select(e => ReferenceIn(e.Value)).FirstOrDefault(n => n is not null),
        _ => null,
    };

    private static PlacedNode FromCommandLine(string text, PlacedEntry entry) => text.StartsWith('[') || text.StartsWith('{')
        ? YamlSource.Parse(text, $"--param {entry.Key}")
        : new PlacedNode { Kind = ScalarTypes.Of(text), Text = text, Line = entry.Line, Column = entry.Column };

    private static List<StageBlock> ReadStages(PlacedNode root, ProblemList problems)
    {
        var result = new List<StageBlock>();
        if (root.Find("stages") is null or { Kind: NodeKind.Map, Entries.Count: 0 })
            problems.Add(root, "'stages' is missing: name at least one step, such as base: { uses: train }");
        foreach (var entry in MapOf(root, "stages", problems))
        {
            if (!StepNames.IsValid(entry.Key))
                problems.Add(entry, $"a step's name must be {StepNames.Rule}");
            if (entry.Value.Kind == NodeKind.Map)
                result.Add(new StageBlock(entry.Key, entry, entry.Value));
            else
                problems.Add(entry.Value, $"step '{entry.Key}' must be a map with 'uses'; found {entry.Value.Describe()}");
        }
        return result;
    }

    private static IReadOnlyList<PlacedEntry> MapOf(PlacedNode root, string key, ProblemList problems)
    {
        var node = root.Find(key);
        if (node is null or { Kind: NodeKind.Map or NodeKind.Null })
            return node?.Entries ?? [];
        problems.Add(node, $"'{key}' must be a map; found {node.Describe()}");
        return [];
    }
}
