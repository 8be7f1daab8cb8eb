using System.Data.Common;
using Dapper;
using Espalier.Contracts;
using Espalier.Registry.Queries;

namespace Espalier.Registry.Signing;

/// <summary>A signature over a version's manifest root.</summary>
public sealed record Signature
{
    /// <summary>Id of the key.</summary>
    public required string KeyId { get; init; }

    /// <summary>Algorithm.</summary>
    public required string Algorithm { get; init; }

    /// <summary>Public key, PEM.</summary>
    public required string PublicKey { get; init; }

    /// <summary>The signature, DER in base64.</summary>
    public required string Value { get; init; }

    /// <summary>Who handed it in.</summary>
    public required string Signer { get; init; }

    /// <summary>When.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Whether the registry knows the key as one to trust, and under which name.</summary>
    public string? TrustedAs { get; init; }
}

/// <summary>A public key that the registry trusts.</summary>
public sealed record TrustedKey(string KeyId, string Name, string Algorithm, string PublicKey, string AddedBy, DateTimeOffset Added);

/// <summary>Signatures of versions, and the keys that count. Private keys never come here.</summary>
public sealed class Signatures(RegistryDatabase database, TimeProvider time)
{
    private const int LongestSignature = 1000, LongestName = 100;

    /// <summary>Keeps a signature after checking it.</summary>
    /// <exception cref="UserInputException">It is not that key's signature over the version's root.</exception>
    public async Task<Signature> AddAsync(ModelVersion version, string publicKey, string signature, string signer, CancellationToken cancellationToken)
    {
        using var key = SigningKey.Parse(publicKey);
        if (!IsValid(key, version.Root, signature))
        {
            throw new UserInputException(
                $"The signature does not match {version.Model}@{version.Version}: this key did not sign the root {version.Root.Short} with it.");
        }
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await connection.ExecuteAsync(
            """
            insert into registry_signature(root, key_id, algorithm, public_key, signature, signer, created_at, number)
            values (@Root, @Id, @Algorithm, @PublicPem, @signature, @signer, @Now,
                (select coalesce(max(number), 0) + 1 from registry_signature where root = @Root))
            on conflict (root, key_id) do update set
                signature = excluded.signature, signer = excluded.signer, created_at = excluded.created_at, number = excluded.number
            """,
            new
            {
                Root = version.Root.Hex, key.Id, SigningKey.Algorithm, key.PublicPem, signature, signer, Now = Timestamps.Write(time.GetUtcNow()),
            },
            transaction).ConfigureAwait(false);
        await connection.ExecuteAsync(
            """
            update registry_version set signatures = (select count(*) from registry_signature s where s.root = registry_version.root)
            where root = @Root
            """,
            new { Root = version.Root.Hex }, transaction).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return (await ListAsync(version.Root, cancellationToken).ConfigureAwait(false)).Single(s => s.KeyId == key.Id);
    }

    /// <summary>Signatures over a root.</summary>
    public async Task<IReadOnlyList<Signature>> ListAsync(Digest root, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var rows = await connection.QueryAsync<
            (string KeyId, string Algorithm, string PublicKey, string Value, string Signer, string Created, string? Trusted)>(
            """
            select s.key_id, s.algorithm, s.public_key, s.signature, s.signer, s.created_at, k.name
            from registry_signature s left join registry_signing_key k on k.key_id = s.key_id and k.public_key = s.public_key
            where s.root = @root order by s.number, s.key_id
            """,
            new { root = root.Hex }).ConfigureAwait(false);
        return [.. rows.Select(r => new Signature
        {
            KeyId = r.KeyId,
            Algorithm = r.Algorithm,
            PublicKey = r.PublicKey,
            Value = r.Value,
            Signer = r.Signer,
            Created = Timestamps.Read(r.Created),
            TrustedAs = r.Trusted,
        })];
    }

    /// <summary>Whether a kept signature still fits: the database is not trusted either.</summary>
    public static bool IsValid(Digest root, Signature signature)
    {
        using var key = SigningKey.Parse(signature.PublicKey);
        return IsValid(key, root, signature.Value);
    }

    /// <summary>Lets a version pass when every signature fits its root, and, where a key is named, one of them is by that key.</summary>
    /// <exception cref="InvalidDataException">A signature does not fit, or the one that is asked for is missing.</exception>
    public static void Require(string version, Digest root, IReadOnlyList<Signature> signatures, SigningKey? by)
    {
        if (signatures.FirstOrDefault(s => !IsValid(root, s)) is { } wrong)
            throw new InvalidDataException($"The signature of key {wrong.KeyId} does not match {version}; nothing was written.");
        if (by is not null && !signatures.Any(s => IsValid(by, root, s.Value)))
            throw new InvalidDataException($"{version} is not signed by key {by.Id}; nothing was written.");
    }

    /// <summary>Trusts a public key.</summary>
    public async Task<TrustedKey> TrustAsync(string name, string publicKey, string actor, CancellationToken cancellationToken)
    {
        if (name.Length is 0 or > LongestName || name.Any(char.IsControl))
            throw new UserInputException($"A key needs a name of 1 to {LongestName} characters.");
        StorableText.Check(name, "The name of the key");
        using var key = SigningKey.Parse(publicKey);
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        await connection.ExecuteAsync(
            """
            insert into registry_signing_key(key_id, name, algorithm, public_key, added_by, added_at)
            values (@Id, @name, @Algorithm, @PublicPem, @actor, @Now)
            on conflict (key_id) do update set name = excluded.name
            """,
            new { key.Id, name, SigningKey.Algorithm, key.PublicPem, actor, Now = Timestamps.Write(time.GetUtcNow()) }).ConfigureAwait(false);
        return (await TrustedAsync(cancellationToken).ConfigureAwait(false)).Single(k => k.KeyId == key.Id);
    }

    /// <summary>Stops trusting a key; false when it was not trusted.</summary>
    public async Task<bool> DistrustAsync(string keyId, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        return await connection.ExecuteAsync("delete from registry_signing_key where key_id = @keyId", new { keyId }).ConfigureAwait(false) > 0;
    }

    /// <summary>The keys that are trusted.</summary>
    public async Task<IReadOnlyList<TrustedKey>> TrustedAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var rows = await connection.QueryAsync<(string KeyId, string Name, string Algorithm, string PublicKey, string AddedBy, string Added)>(
            "select key_id, name, algorithm, public_key, added_by, added_at from registry_signing_key order by name, key_id").ConfigureAwait(false);
        return [.. rows.Select(r => new TrustedKey(r.KeyId, r.Name, r.Algorithm, r.PublicKey, r.AddedBy, Timestamps.Read(r.Added)))];
    }

    private static bool IsValid(SigningKey key, Digest root, string signature)
    {
        var bytes = new byte[LongestSignature];
        return signature.Length <= LongestSignature
            && Convert.TryFromBase64String(signature, bytes, out var length)
            && key.Verify(root, bytes.AsSpan(0, length));
    }
}
