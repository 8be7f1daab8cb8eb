using System.Security.Cryptography;
using Dapper;
using Espalier.Contracts;
using Espalier.Orchestrator.Database;

namespace Espalier.Orchestrator.Api;

/// <summary>What a key may do; each role may do what the ones before it may.</summary>
public enum ApiRole
{
    /// <summary>Read.</summary>
    Viewer,

    /// <summary>Start, cancel and resume runs.</summary>
    Submitter,

    /// <summary>Move aliases.</summary>
    Promoter,

    /// <summary>Everything.</summary>
    Admin,
}

/// <summary>API keys. The ledger holds their digests only: 256 random bits need no salt.</summary>
internal sealed class ApiKeys(LedgerDatabase database)
{
    private const string Prefix = "esp_";

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
            "insert into api_key (hash, name, role, created_at) values (@hash, @name, @role, @Now) on conflict (hash) do update set role = excluded.role",
            new { hash = Hash(key), name, role = Ledger.Words.Of(role), transaction.Now }), cancellationToken);

    /// <summary>The role of a key, or null.</summary>
    public async Task<ApiRole?> FindRoleAsync(string key, CancellationToken cancellationToken)
    {
        var role = await database.ReadAsync(
            connection => connection.QueryFirstOrDefaultAsync<string>("select role from api_key where hash = @hash", new { hash = Hash(key) }),
            cancellationToken).ConfigureAwait(false);
        return role is null ? null : Ledger.Words.Parse<ApiRole>(role);
    }

    /// <summary>Whether there is a key at all.</summary>
    public Task<bool> AnyAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(async connection => await connection.ExecuteScalarAsync<long>("select count(*) from api_key").ConfigureAwait(false) > 0, cancellationToken);

    private static string Hash(string key) => Digest.Of(System.Text.Encoding.UTF8.GetBytes(key)).Hex;
}
