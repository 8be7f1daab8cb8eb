using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Planning;

/// <summary>A pipeline file as written: the structure is checked, the options are not.</summary>
internal sealed record PipelineFile
{
    public required string Name { get; init; }

    public required string Description { get; init; }

    /// <summary>Options by stage kind, for every step of that kind that does not say otherwise.</summary>
    public required IReadOnlyList<PlacedEntry> Defaults { get; init; }

    public required IReadOnlyDictionary<string, PlacedNode> Parameters { get; init; }

    public required IReadOnlyList<StageBlock> Stages { get; init; }

    public required IReadOnlyList<PlannedTrigger> Triggers { get; init; }

    public required IReadOnlyList<PlannedNotice> Notices { get; init; }
}

/// <summary>One entry under <c>stages</c>.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Place">Its key.</param>
/// <param name="Body">Its map, nothing filled in.</param>
internal sealed record StageBlock(string Name, PlacedEntry Place, PlacedNode Body);
