namespace Espalier.Contracts;

/// <summary>Event: a model version exists in the registry.</summary>
public sealed record ModelRegistered(string Model, int Version, Digest Root, Guid RunId);

/// <summary>Event: an alias points to another version.</summary>
public sealed record AliasMoved(string Model, string Alias, int Version, int? PreviousVersion, string Actor, string Reason);
