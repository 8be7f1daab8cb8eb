namespace Espalier.Contracts;

/// <summary>Event: a model version exists in the registry.</summary>
public sealed record ModelRegistered(string Model, int Version, Digest Root, Guid RunId)
{
    /// <summary>Identity of the event: the same however often it is delivered. Null from a registry that is too old to give one.</summary>
    public Guid? EventId { get; init; }
}

/// <summary>Event: an alias points to another version.</summary>
public sealed record AliasMoved(string Model, string Alias, int Version, int? PreviousVersion, string Actor, string Reason)
{
    /// <inheritdoc cref="ModelRegistered.EventId"/>
    public Guid? EventId { get; init; }

    /// <summary>The run that moved it; null when somebody did.</summary>
    public Guid? RunId { get; init; }
}

/// <summary>Event: the gate of an alias let a version pass, or refused it.</summary>
/// <param name="Model">The model.</param>
/// <param name="Alias">The alias that has the gate.</param>
/// <param name="Version">The version that asked.</param>
/// <param name="Allowed">Whether it passed.</param>
/// <param name="Actor">Who asked.</param>
public sealed record GateDecided(string Model, string Alias, int Version, bool Allowed, string Actor)
{
    /// <summary>The gate's rule.</summary>
    public string Rule { get; init; } = "";

    /// <summary>What did not hold, in words.</summary>
    public IReadOnlyList<string> Failed { get; init; } = [];

    /// <summary>Approvals that the version had.</summary>
    public int Approvals { get; init; }

    /// <inheritdoc cref="ModelRegistered.EventId"/>
    public Guid? EventId { get; init; }

    /// <summary>The run that asked; null when somebody did.</summary>
    public Guid? RunId { get; init; }
}

/// <summary>Request to the registry: which artifact is this? Answered by <see cref="ModelFound"/>.</summary>
/// <param name="Reference">
/// <c>model:NAME@ALIAS</c>, <c>model:NAME@VERSION</c> or <c>model:NAME</c>, the newest; <c>dataset:NAME@VERSION</c> or <c>dataset:NAME</c>.
/// </param>
public sealed record FindModel(string Reference);

/// <summary>Answer: the checkpoint or the dataset, or null when none has that name.</summary>
public sealed record ModelFound(ManifestRef? Model)
{
    /// <summary>Where none has the name: what may have been meant, as references, the nearest first.</summary>
    public IReadOnlyList<string> Nearest { get; init; } = [];
}
