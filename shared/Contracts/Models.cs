namespace Espalier.Contracts;

/// <summary>Event: a model version exists in the registry.</summary>
public sealed record ModelRegistered(string Model, int Version, Digest Root, Guid RunId);

/// <summary>Event: an alias points to another version.</summary>
public sealed record AliasMoved(string Model, string Alias, int Version, int? PreviousVersion, string Actor, string Reason);

/// <summary>Request to the registry: which checkpoint is this? Answered by <see cref="ModelFound"/>.</summary>
/// <param name="Reference"><c>model:NAME@ALIAS</c>, <c>model:NAME@VERSION</c> or <c>model:NAME</c>, the newest.</param>
public sealed record FindModel(string Reference);

/// <summary>Answer: the checkpoint, or null when no model has that name.</summary>
public sealed record ModelFound(ManifestRef? Model);
