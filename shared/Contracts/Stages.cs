using System.Text.Json;

namespace Espalier.Contracts;

/// <summary>Event at start and then once a minute: a worker offers a stage kind.</summary>
public sealed record StageAdvertised
{
    /// <summary>Stage kind.</summary>
    public required string Kind { get; init; }

    /// <summary>Digest of the code that computes the result; part of every step key.</summary>
    public required string Version { get; init; }

    /// <summary>Library, device, kernel set and thread count that results depend on; part of every step key.</summary>
    public required string NumericsClass { get; init; }

    /// <summary>The stage's option schema (see the Pipelines project), as JSON.</summary>
    public required JsonElement Schema { get; init; }

    /// <summary>What the stage says of itself; null from workers that are older than this member.</summary>
    public StageTraits? Traits { get; init; }

    /// <summary>Device class that the worker runs it on: <c>cpu</c> or <c>cuda</c>.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>
    /// The worker has the device class beside the one that it is for, or only pretends to have it: steps are prepared for its code only while
    /// nobody else offers theirs.
    /// </summary>
    public bool IsSpare { get; init; }

    /// <summary>Worker that offers it.</summary>
    public string Worker { get; init; } = "";
}
