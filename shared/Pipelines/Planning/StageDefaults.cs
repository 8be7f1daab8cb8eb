using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Planning;

/// <summary>
/// <c>defaults: { train: { batch: 16 } }</c>: options of every step of a kind. What the step says itself wins, maps are joined key by
/// key, and an option that belongs to a method which the step does not use is passed over.
/// </summary>
internal sealed class StageDefaults
{
    private readonly Dictionary<string, PlacedNode> _byKind = new(StringComparer.Ordinal);

    public StageDefaults(IReadOnlyList<PlacedEntry> entries, IReadOnlyCollection<StageDefinition> stages, ProblemList problems)
    {
        foreach (var entry in entries)
        {
            if (stages.All(s => s.Kind != entry.Key))
                problems.Add(entry, $"'defaults' names the unknown stage '{entry.Key}': {NearestWord.Hint(entry.Key, [.. stages.Select(s => s.Kind)])}");
            else if (entry.Value.Kind != NodeKind.Map)
                problems.Add(entry.Value, $"the defaults of '{entry.Key}' must be options by name (a map); found {entry.Value.Describe()}");
            else
                _byKind[entry.Key] = entry.Value;
        }
    }

    /// <summary>The options of a step with its kind's defaults below them.</summary>
    public PlacedNode Apply(StageDefinition stage, PlacedNode options, Interpolation fill)
    {
        if (!_byKind.TryGetValue(stage.Kind, out var found) || options.Kind is not (NodeKind.Map or NodeKind.Null))
            return options;
        var defaults = fill.Fill(found);
        var all = Join(defaults, options);
        return options.Kind == NodeKind.Null && defaults.Entries.Count == 0
            ? options
            : all with { Entries = [.. all.Entries.Where(e => options.Find(e.Key) is not null || !IsOfAnotherMethod(stage.Schema, all, e.Key))] };
    }

    private static PlacedNode Join(PlacedNode below, PlacedNode above)
    {
        if (above.Kind == NodeKind.Null)
            return below with { Line = above.Line, Column = above.Column };
        if (below.Kind != NodeKind.Map || above.Kind != NodeKind.Map)
            return above;
        var joined = above.Entries.Select(e => below.Find(e.Key) is { } value ? e with { Value = Join(value, e.Value) } : e);
        return above with { Entries = [.. joined, .. below.Entries.Where(e => above.Find(e.Key) is null)] };
    }

    private static bool IsOfAnotherMethod(OptionSchema schema, PlacedNode options, string option)
    {
        if (schema.Discriminator is not { } discriminator || schema.Properties!.ContainsKey(option))
            return false;
        var method = options.Find(discriminator)?.Text ?? schema.Properties[discriminator].Default?.GetString();
        var owners = schema.Methods!.Where(m => m.Value.Properties!.ContainsKey(option)).Select(m => m.Key).ToList();
        return owners.Count > 0 && !owners.Contains(method ?? "");
    }
}
