using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;

namespace Espalier.Pipelines.Keys;

/// <summary>
/// What the result of a step depends on. Its digest names the work: equal keys mean equal results, which is the cache, the
/// resume, the exactly-once effect and the receipt.
/// </summary>
public sealed record StepKey
{
    /// <summary>Stage kind.</summary>
    public required string Kind { get; init; }

    /// <summary>Digest of the stage's code (<see cref="StageVersion"/>).</summary>
    public required string StageVersion { get; init; }

    /// <summary>Library, device and kernels that results depend on.</summary>
    public required string NumericsClass { get; init; }

    /// <summary>Options, normalised.</summary>
    public required JsonElement Options { get; init; }

    /// <summary>Inputs in planned order: what each is for, and its manifest root.</summary>
    public required IReadOnlyList<StepKeyInput> Inputs { get; init; }

    /// <summary>The digest of the canonical JSON.</summary>
    public Digest ToDigest() => CanonicalJson.DigestOf(this);

    /// <summary>Why two keys differ: the first field that does, with both values; null when they are equal.</summary>
    public static string? Explain(StepKey before, StepKey after) => Compare(before, after).Select(d => d.ToString()).FirstOrDefault();

    /// <summary>Every field in which two keys differ, in the order of the record.</summary>
    public static IReadOnlyList<KeyDifference> Compare(StepKey before, StepKey after) =>
        [.. Differences("", JsonSerializer.SerializeToNode(before, WireJson.Options), JsonSerializer.SerializeToNode(after, WireJson.Options))];

    private static IEnumerable<KeyDifference> Differences(string path, JsonNode? before, JsonNode? after) => (before, after) switch
    {
        (JsonObject a, JsonObject b) => a.Select(p => p.Key).Union(b.Select(p => p.Key))
            .SelectMany(key => Differences(path.Length == 0 ? key : $"{path}.{key}", a[key], b[key])),
        (JsonArray a, JsonArray b) when a.Count == b.Count => a.SelectMany((item, i) => Differences($"{path}[{i}]", item, b[i])),
        (JsonArray a, JsonArray b) => [new KeyDifference(path, $"{a.Count}", $"{b.Count}")],
        _ => Text(before) == Text(after) ? [] : [new KeyDifference(path, Text(before), Text(after))],
    };

    private static string Text(JsonNode? node) => node is null ? "absent" : node.ToJsonString(WireJson.Options);
}

/// <summary>One input of a step key.</summary>
/// <param name="As">What it is for the step.</param>
/// <param name="Step">The step that made it where the name shows in the result, else empty.</param>
/// <param name="Root">Its manifest root.</param>
public sealed record StepKeyInput(string As, string Step, Digest Root);

/// <summary>A field in which two step keys differ.</summary>
/// <param name="Path">Where it is: <c>options.seed</c>, <c>inputs[0].root</c>.</param>
/// <param name="Before">Value of the one, as JSON; for lists of unequal length, the length.</param>
/// <param name="Now">Value of the other.</param>
public sealed record KeyDifference(string Path, string Before, string Now)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Path}: {Before} before, {Now} now";
}
