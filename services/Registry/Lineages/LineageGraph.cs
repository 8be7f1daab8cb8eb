using System.Text.Json.Serialization;
using Espalier.Contracts;

namespace Espalier.Registry.Lineages;

/// <summary>Everything that a version was made from.</summary>
/// <param name="Nodes">Artifacts, the version itself first.</param>
/// <param name="Edges">From parent to child.</param>
/// <param name="Bill">What it cost.</param>
public sealed record LineageGraph(IReadOnlyList<LineageVertex> Nodes, IReadOnlyList<LineageEdge> Edges, AncestryBill Bill);

/// <summary>One artifact of a lineage graph.</summary>
public sealed record LineageVertex
{
    /// <summary>What edges name it by: the root.</summary>
    public required string Id { get; init; }

    /// <summary>Manifest root.</summary>
    public required Digest Root { get; init; }

    /// <summary>Model that it is a version of, if any.</summary>
    public string? Model { get; init; }

    /// <summary>Which version.</summary>
    public int? Version { get; init; }

    /// <summary>Name of the step that made it.</summary>
    public string? Step { get; init; }

    /// <summary>Stage kind that made it; <c>import</c> for a checkpoint from outside.</summary>
    public required string Kind { get; init; }

    /// <summary>What it is: <c>checkpoint</c>, <c>dataset</c>; empty when the store no longer has it.</summary>
    public required string Artifact { get; init; }

    /// <summary>Method of the stage.</summary>
    public string? Method { get; init; }

    /// <summary>Wall seconds of the step that made it; absent when unknown.</summary>
    public double? Seconds { get; init; }

    /// <summary>Whether the version's run found it made already.</summary>
    public bool Cached { get; init; }

    /// <summary>Key of the step that made it.</summary>
    [JsonIgnore]
    public Digest? StepKey { get; init; }
}

/// <summary>One artifact was made from another.</summary>
/// <param name="From">Root of the parent.</param>
/// <param name="To">Root of the child.</param>
/// <param name="Relation">How: <c>trained</c>, <c>upcycled</c>, <c>pruned</c>, <c>quantized</c>, <c>data</c>, <c>teacher</c>.</param>
public sealed record LineageEdge(Digest From, Digest To, string Relation);

/// <summary>What an ancestry cost.</summary>
/// <param name="Seconds">Compute seconds of all steps in it, each once, whoever ran them.</param>
/// <param name="SavedSeconds">Those of them that the version's run did not spend, because results were there already.</param>
public sealed record AncestryBill(double Seconds, double SavedSeconds)
{
    /// <summary>Adds up; a step that made several artifacts counts once.</summary>
    public static AncestryBill Of(IEnumerable<LineageVertex> nodes)
    {
        var steps = nodes.Where(n => n is { Seconds: not null, StepKey: not null }).DistinctBy(n => n.StepKey!.Value).ToList();
        return new AncestryBill(steps.Sum(s => s.Seconds!.Value), steps.Where(s => s.Cached).Sum(s => s.Seconds!.Value));
    }
}
