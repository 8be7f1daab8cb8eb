using System.Security.Cryptography;
using System.Text;
using Dapper;
using Espalier.Contracts;
using Espalier.Hosting.Authentication;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Orchestrator.Api;

/// <summary>What may be shown of a key: everything but the key itself.</summary>
/// <param name="Id">First digits of the key's digest.</param>
/// <param name="Name">Whose it is.</param>
/// <param name="Role">What it may do.</param>
/// <param name="Created">When it was made.</param>
public sealed record ApiKeyView(string Id, string Name, ApiRole Role, DateTimeOffset Created);

/// <summary>API keys. The ledger holds their digests only: 256 random bits need no salt.</summary>
internal sealed class ApiKeys(LedgerDatabase database) : IApiKeys
{
    private const string Prefix = "esp_";
    private const int IdLength = 12;
    private const string Insert =
        """
        insert into api_key (hash, name, role, created_at, number)
        values (@hash, @name, @role, @Now, (select coalesce(max(number), 0) + 1 from api_key))
        on conflict (hash) do update set role = excluded.role
        """;

    /// <summary>Makes a key; it cannot be shown again.</summary>
    public async Task<string> CreateAsync(string name, ApiRole role, CancellationToken cancellationToken)
    {
        var key = Prefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        await RegisterAsync(key, name, role, cancellationToken).ConfigureAwait(false);
        return key;
    }

    /// <summary>Takes a key that was made elsewhere, once.</summary>
    public Task RegisterAsync(string key, string name, ApiRole role, CancellationToken cancellationToken) =>
        database.WriteAsync(transaction => transaction.ExecuteAsync(
            Insert,
            new { hash = DigestOf(key).Hex, name, role = EnumText.Of(role), transaction.Now }), cancellationToken);

    /// <summary>Makes this the only key of its name.</summary>
    public Task ReplaceAsync(string key, string name, ApiRole role, CancellationToken cancellationToken) =>
        database.WriteAsync(async transaction =>
        {
            var values = new { hash = DigestOf(key).Hex, name, role = EnumText.Of(role), transaction.Now };
            await transaction.ExecuteAsync("delete from api_key where name = @name and hash <> @hash", values).ConfigureAwait(false);
            return await transaction.ExecuteAsync(Insert, values).ConfigureAwait(false);
        }, cancellationToken);

    /// <inheritdoc/>
    public Task<ApiRole?> FindRoleAsync(string key, CancellationToken cancellationToken) => FindRoleAsync(DigestOf(key), cancellationToken);

    /// <inheritdoc/>
    public Task<ApiCaller?> FindCallerAsync(string key, CancellationToken cancellationToken) => FindCallerAsync(DigestOf(key), cancellationToken);

    /// <summary>The role of the key with this digest, or null.</summary>
    public async Task<ApiRole?> FindRoleAsync(Digest key, CancellationToken cancellationToken) =>
        (await FindCallerAsync(key, cancellationToken).ConfigureAwait(false))?.Role;

    /// <summary>Name and role of the key with this digest, or null.</summary>
    public async Task<ApiCaller?> FindCallerAsync(Digest key, CancellationToken cancellationToken)
    {
        var row = await database.ReadAsync(
            connection => connection.QueryFirstOrDefaultAsync<(string Name, string Role)?>(
                "select name, role from api_key where hash = @hash", new { hash = key.Hex }),
            cancellationToken).ConfigureAwait(false);
        return row is { } found ? new ApiCaller(found.Name, EnumText.Parse<ApiRole>(found.Role)) : null;
    }

    /// <summary>Every key, oldest first.</summary>
    public Task<IReadOnlyList<ApiKeyView>> ListAsync(CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<ApiKeyView>>(async connection =>
        {
            var rows = await connection.QueryAsync<(string Hash, string Name, string Role, long Created)>(
                "select hash, name, role, created_at from api_key order by number, hash").ConfigureAwait(false);
            return
            [
                .. rows.Select(r => new ApiKeyView(
                    r.Hash[..IdLength], r.Name, EnumText.Parse<ApiRole>(r.Role), DateTimeOffset.FromUnixTimeMilliseconds(r.Created))),
            ];
        }, cancellationToken);

    /// <summary>Takes keys away by id or name; returns how many. The last administrator's key stays.</summary>
    /// <exception cref="UserInputException">Nobody could make keys any more.</exception>
    public Task<int> RevokeAsync(string idOrName, CancellationToken cancellationToken) =>
        database.WriteAsync(async transaction =>
        {
            var revoked = await transaction.ExecuteAsync(
                "delete from api_key where name = @idOrName or substr(hash, 1, @length) = @idOrName",
                new { idOrName, length = IdLength }).ConfigureAwait(false);
            var admins = await transaction.FindAsync<long>(
                "select count(*) from api_key where role = @admin", new { admin = EnumText.Of(ApiRole.Admin) }).ConfigureAwait(false);
            return admins > 0 ? revoked : throw new UserInputException($"'{idOrName}' is the last administrator's key: make another one first.");
        }, cancellationToken);

    /// <summary>Whether there is a key at all.</summary>
    public Task<bool> AnyAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(
            async connection => await connection.ExecuteScalarAsync<long>("select count(*) from api_key").ConfigureAwait(false) > 0, cancellationToken);

    private static Digest DigestOf(string key) => Digest.Of(Encoding.UTF8.GetBytes(key));
}
