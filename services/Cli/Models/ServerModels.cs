using Espalier.Cli.Client;
using Espalier.Contracts;
using Espalier.Registry;
using Espalier.Registry.Api;
using Espalier.Registry.Comparisons;
using Espalier.Registry.Queries;
using Espalier.Registry.Signing;
using Espalier.Registry.Storage;

namespace Espalier.Cli.Models;

/// <summary>The models of a registry server.</summary>
internal sealed class ServerModels(RegistryConnection registry) : IModels
{
    private const int PageLength = 500;

    public async Task<IReadOnlyList<VersionView>> ListAsync(string? model, int most, CancellationToken cancellationToken)
    {
        var found = await ReadAsync(
            most,
            (limit, cursor) => model is null
                ? registry.Api.SearchVersionsAsync(limit: limit, cursor: cursor, cancellationToken: cancellationToken)
                : registry.Api.ListVersionsAsync(model, limit: limit, cursor: cursor, cancellationToken: cancellationToken)).ConfigureAwait(false);
        return [.. found.OrderBy(v => v.Model, StringComparer.Ordinal).ThenByDescending(v => v.Version)];
    }

    public Task<ModelView> FindModelAsync(string model, CancellationToken cancellationToken) =>
        registry.Api.FindModelAsync(model, cancellationToken);

    public async Task<VersionView> ResolveAsync(string reference, CancellationToken cancellationToken)
    {
        var wanted = ModelReference.Parse(reference);
        if (wanted.Model.Length == 0)
            throw new UserInputException($"'{reference}' names no model: expected NAME, NAME@VERSION or NAME@ALIAS.");
        if (wanted.Version is not { } number)
        {
            var model = await FindModelAsync(wanted.Model, cancellationToken).ConfigureAwait(false);
            if (wanted.IsLatest)
                number = model.Latest;
            else if (!model.Aliases.TryGetValue(wanted.Alias!, out number))
                throw new UserInputException(
                    $"'{wanted.Model}' has no alias '{wanted.Alias}': there are {string.Join(", ", model.Aliases.Keys.DefaultIfEmpty("none"))}.");
        }
        return await registry.Api.FindVersionAsync(wanted.Model, number, cancellationToken).ConfigureAwait(false);
    }

    public Task<MoveView> MoveAliasAsync(VersionView version, string alias, string reason, CancellationToken cancellationToken) =>
        registry.Api.MoveAliasAsync(version.Model, alias, body: new AliasTarget(version.Version, reason), cancellationToken: cancellationToken);

    public Task<MoveView> RevertAliasAsync(string model, string alias, string reason, CancellationToken cancellationToken) =>
        registry.Api.RevertAliasAsync(model, alias, new RevertReason(reason), cancellationToken);

    public Task<MoveView> RemoveAliasAsync(string model, string alias, string reason, CancellationToken cancellationToken) =>
        registry.Api.RemoveAliasAsync(model, alias, reason, cancellationToken);

    public Task<IReadOnlyList<MoveView>> MovesAsync(string model, int most, CancellationToken cancellationToken) =>
        ReadAsync(most, (limit, cursor) => registry.Api.ListMovesAsync(model, limit, cursor, cancellationToken));

    public async Task<IReadOnlyDictionary<string, string>> ChangeTagsAsync(
        string model, int? version, IReadOnlyDictionary<string, string?> tags, CancellationToken cancellationToken)
    {
        var changes = new Changes(Description: null, tags);
        return version is { } number
            ? (await registry.Api.ChangeVersionAsync(model, number, changes, cancellationToken).ConfigureAwait(false)).Tags
            : (await registry.Api.ChangeModelAsync(model, changes, cancellationToken).ConfigureAwait(false)).Tags;
    }

    public Task<VersionComparison> CompareAsync(VersionView left, VersionView right, CancellationToken cancellationToken) =>
        registry.Api.CompareVersionsAsync(Named(left), Named(right), cancellationToken);

    public Task<Signature> SignAsync(VersionView version, SigningKey key, CancellationToken cancellationToken) =>
        registry.Api.AddSignatureAsync(
            version.Model, version.Version, new NewSignature(key.PublicPem, Convert.ToBase64String(key.Sign(version.Root))), cancellationToken);

    public async Task<IReadOnlyList<TrustedKey>> TrustedKeysAsync(CancellationToken cancellationToken) =>
        (await registry.Api.ListSigningKeysAsync(cancellationToken).ConfigureAwait(false)).Items;

    public Task<TrustedKey> TrustAsync(string name, SigningKey key, CancellationToken cancellationToken) =>
        registry.Api.TrustKeyAsync(new NewTrustedKey(name, key.PublicPem), cancellationToken);

    public Task DistrustAsync(string keyId, CancellationToken cancellationToken) => registry.Api.DistrustKeyAsync(keyId, cancellationToken);

    /// <summary>The server reads, and answers when it has read everything: there is no progress to report.</summary>
    public Task<Registry.Signing.Verification> VerifyAsync(
        VersionView version, IProgress<(long Done, long Total)> progress, CancellationToken cancellationToken) =>
        registry.Api.VerifyVersionAsync(version.Model, version.Version, cancellationToken);

    public Task<CollectionReport> CollectAsync(CollectionOptions options, CancellationToken cancellationToken) =>
        registry.Api.CollectGarbageAsync(new CollectionRequest(options.DryRun, Seconds(options.Grace), Seconds(options.CacheAge)), cancellationToken);

    public ValueTask DisposeAsync()
    {
        registry.Dispose();
        return ValueTask.CompletedTask;
    }

    private static string Named(VersionView version) => $"{version.Model}@{version.Version}";

    private static string? Seconds(TimeSpan? length) => length is { } some ? $"{(long)some.TotalSeconds}s" : null;

    private static async Task<IReadOnlyList<T>> ReadAsync<T>(int most, Func<int, string?, Task<Page<T>>> read)
    {
        var items = new List<T>();
        for (string? cursor = null; items.Count < most;)
        {
            var page = await read(Math.Min(PageLength, most - items.Count), cursor).ConfigureAwait(false);
            items.AddRange(page.Items);
            if (page.Next is not { Length: > 0 } next)
                break;
            cursor = next;
        }
        return items;
    }
}
