using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Options;

/// <summary>Options that were read: normalised, and where each came from.</summary>
public sealed record OptionDocument
{
    /// <summary>Valid options in the schema's order: units resolved, defaults filled in.</summary>
    public required JsonObject Values { get; init; }

    /// <summary>Where each given option's key stands, by path (<c>calibration.data</c>); the empty path is the whole.</summary>
    public required IReadOnlyDictionary<string, PlacedEntry> Places { get; init; }

    /// <summary>The dataset and model options that were given.</summary>
    public required IReadOnlyList<ArtifactOption> Artifacts { get; init; }

    /// <summary>Dataset options that were left out and may come from a step upstream.</summary>
    public required IReadOnlyList<ArtifactOption> Inherited { get; init; }

    /// <summary>The options as an element.</summary>
    public JsonElement ToElement() => JsonSerializer.SerializeToElement(Values);

    /// <summary>The place of a path, or of the nearest option around it.</summary>
    public PlacedEntry PlaceOf(string path)
    {
        while (!Places.ContainsKey(path) && path.Length > 0)
            path = path.LastIndexOfAny(['.', '[']) is >= 0 and var cut ? path[..cut] : "";
        return Places[path];
    }
}

/// <summary>An option that names an artifact.</summary>
/// <param name="Path">Path of the option.</param>
/// <param name="Kind"><see cref="ValueKind.Dataset"/> or <see cref="ValueKind.Model"/>.</param>
/// <param name="Text">As given, a list as JSON; empty when left out.</param>
/// <param name="Line">Line of the value.</param>
/// <param name="Column">Column of the value.</param>
/// <param name="IsRequired">Whether leaving it out is an error.</param>
/// <param name="Value">Its value within <see cref="OptionDocument.Values"/>, to be replaced by what the planner makes of it.</param>
public sealed record ArtifactOption(string Path, ValueKind Kind, string Text, int Line, int Column, bool IsRequired, JsonNode Value)
{
    /// <summary>The sources of a dataset that is given by a list or by options; null where it is given by a text.</summary>
    public IReadOnlyList<PlacedSource>? Sources { get; init; }
}

/// <summary>A source of a dataset, and where it stands.</summary>
/// <param name="Source">The source.</param>
/// <param name="Line">Its line.</param>
/// <param name="Column">Its column.</param>
public sealed record PlacedSource(DataSource Source, int Line, int Column);
