namespace Espalier.Contracts;

/// <summary>Request: what may the owner of this API key do? The key itself never travels. Answered by <see cref="KeyRole"/>.</summary>
/// <param name="KeyDigest">SHA-256 of the key.</param>
public sealed record FindKeyRole(Digest KeyDigest);

/// <summary>Answer: the role's name, or null when there is no such key; and the key's own name, for the record.</summary>
public sealed record KeyRole(string? Role, string? Name = null);
