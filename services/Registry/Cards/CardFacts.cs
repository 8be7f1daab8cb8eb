using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Registry.Lineages;
using Espalier.Stages.Worker;

namespace Espalier.Registry.Cards;

/// <summary>Everything that a card says, read from manifests, receipts and reports.</summary>
internal sealed record CardFacts
{
    public required string Model { get; init; }

    public required ManifestRef Checkpoint { get; init; }

    public required ModelShape Shape { get; init; }

    /// <summary>Ancestry, the checkpoint first.</summary>
    public required IReadOnlyList<LineageNode> Lineage { get; init; }

    /// <summary>Registered names of ancestors, as <c>NAME@VERSION</c>.</summary>
    public required IReadOnlyDictionary<Digest, string> Names { get; init; }

    public required IReadOnlyList<CardDataset> Datasets { get; init; }

    public required IReadOnlyList<StepReceipt> Receipts { get; init; }

    public required IReadOnlyDictionary<string, Measure> Measures { get; init; }

    public string Origin { get; init; } = "";

    public string? Licence { get; init; }
}

/// <summary>A dataset of the ancestry.</summary>
internal sealed record CardDataset(Digest Root, string Name, IReadOnlyList<string> Licences)
{
    public static CardDataset Of(Digest root, JsonObject? properties)
    {
        var name = Text(properties?["source"]) ?? Text(properties?["name"]) ?? root.Short;
        var licences = new SortedSet<string>(StringComparer.Ordinal);
        Collect(properties, licences);
        return new CardDataset(root, name, [.. licences]);
    }

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    private static void Collect(JsonNode? node, SortedSet<string> licences)
    {
        switch (node)
        {
            case JsonObject values:
                foreach (var (key, value) in values)
                {
                    if (key is "license" or "licence" && value is JsonValue text && text.TryGetValue<string>(out var licence))
                        licences.Add(licence);
                    else
                        Collect(value, licences);
                }
                break;
            case JsonArray items:
                foreach (var item in items)
                    Collect(item, licences);
                break;
        }
    }
}
