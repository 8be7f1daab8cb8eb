using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Planning;

/// <summary>Turns the entries under <c>stages</c> into drafts: matrix expanded, values filled in, options checked.</summary>
internal sealed class StepReader(PipelineFile file, PlanningContext context, ProblemList problems)
{
    private const int MaxSteps = 10_000;
    private static readonly OptionSchema Envelope = OptionSchema.For(typeof(StageEnvelope));
    private static readonly string[] Keys = [.. Envelope.Properties!.Keys, "with", "matrix"];

    private readonly StageDefaults _defaults = new(file.Defaults, context.Stages, problems);

    public List<StepDraft> ReadAll()
    {
        var result = new List<StepDraft>();
        foreach (var block in file.Stages)
            result.AddRange(ReadBlock(block));
        if (result.Count > MaxSteps)
            throw new UserInputException([new Problem(problems.Place, 1, 1, $"the pipeline has {result.Count} steps; at most {MaxSteps} are planned")]);
        foreach (var twin in result.GroupBy(s => s.Name).Where(g => g.Count() > 1))
        {
            problems.Add(
                twin.Last().Place,
                $"two steps would be called '{twin.Key}': rename the step, or make the values of its matrix differ in letters and digits");
        }
        return [.. result.DistinctBy(s => s.Name)];
    }

    private IEnumerable<StepDraft> ReadBlock(StageBlock block)
    {
        foreach (var entry in block.Body.Entries.Where(e => !Keys.Contains(e.Key)))
            problems.Add(entry, $"unknown key '{entry.Key}' in step '{block.Name}': {HintFor(block, entry.Key)}");
        var none = new Dictionary<string, PlacedNode>();
        var matrix = block.Body.Find("matrix") is { } node ? new Interpolation(file.Parameters, none, problems).Fill(node) : null;
        return Matrix.Expand(matrix, problems).Select(combination => ReadStep(block, combination));
    }

    private string HintFor(StageBlock block, string key)
    {
        var schema = context.Stages.FirstOrDefault(s => s.Kind == block.Body.Find("uses")?.Text)?.Schema;
        var isOption = schema?.Properties!.ContainsKey(key) == true || schema?.Methods?.Values.Any(m => m.Properties!.ContainsKey(key)) == true;
        return isOption ? $"it is an option of the stage, and options stand under 'with': with: {{ {key}: ... }}"
            : key == MergeKey.Name ? "a parameter is merged under 'with' only; here it takes an anchor (<<: *name)"
            : NearestWord.Hint(key, Keys);
    }

    private StepDraft ReadStep(StageBlock block, IReadOnlyDictionary<string, PlacedNode> combination)
    {
        var fill = new Interpolation(file.Parameters, combination, problems);
        var entries = block.Body.Entries.Where(e => Keys.Contains(e.Key) && e.Key != "matrix");
        var body = block.Body with { Entries = [.. entries.Select(e => Unfold(e with { Value = Fill(fill, e) }))] };
        var envelope = ReadEnvelope(body);
        var stage = context.Stages.FirstOrDefault(s => s.Kind == envelope.Uses);
        if (stage is null && envelope.Uses.Length > 0)
        {
            problems.Add(
                body.Find("uses")!, $"unknown stage '{envelope.Uses}': {NearestWord.Hint(envelope.Uses, [.. context.Stages.Select(s => s.Kind)])}");
        }
        var with = body.Find("with") ?? new PlacedNode { Kind = NodeKind.Null, Line = block.Place.Line, Column = block.Place.Column };
        if (stage is not null)
            with = _defaults.Apply(stage, with, fill);
        return new StepDraft
        {
            Name = combination.Count == 0 ? block.Name : Matrix.NameOf(block.Name, combination),
            Block = block.Name,
            Place = block.Place,
            Combination = combination,
            Envelope = envelope,
            Stage = stage,
            Body = body,
            Options = OptionReader.Read(
                stage?.Schema ?? Anything, stage is null ? with with { Kind = NodeKind.Null, Entries = [] } : with, problems, stage?.OptionsType,
                inPipeline: true),
        };
    }

    private StageEnvelope ReadEnvelope(PlacedNode body)
    {
        var outer = body with { Entries = [.. body.Entries.Where(e => e.Key != "with")] };
        var values = OptionReader.Read(Envelope, outer, problems, typeof(StageEnvelope)).Values;
        var sound = new JsonObject(
            values.Where(v => v.Value is not null && !HasHole(v.Value)).Select(v => KeyValuePair.Create(v.Key, (JsonNode?)v.Value!.DeepClone())));
        return sound.Deserialize<StageEnvelope>(WireJson.Options)!;
    }

    /// <summary>In a condition parameters are values; everywhere else they may also be a part of a text.</summary>
    private static PlacedNode Fill(Interpolation fill, PlacedEntry entry) => entry.Key == "when" ? fill.FillCondition(entry.Value) : fill.Fill(entry.Value);

    /// <summary>Short forms written out: <c>needs: base</c> and <c>retry: 5</c>.</summary>
    private static PlacedEntry Unfold(PlacedEntry entry) => entry switch
    {
        { Key: "needs", Value.Kind: NodeKind.Text } => entry with { Value = entry.Value with { Kind = NodeKind.List, Items = [entry.Value] } },
        { Key: "retry", Value.Kind: NodeKind.Number } => entry with
        {
            Value = entry.Value with { Kind = NodeKind.Map, Entries = [entry with { Key = "attempts" }] },
        },
        _ => entry,
    };

    private static bool HasHole(JsonNode node) => node switch
    {
        JsonObject map => map.Any(p => p.Value is null || HasHole(p.Value)),
        JsonArray list => list.Any(i => i is null || HasHole(i)),
        _ => false,
    };

    private static OptionSchema Anything { get; } = new() { Kind = ValueKind.Object, Properties = new Dictionary<string, OptionSchema>() };
}
