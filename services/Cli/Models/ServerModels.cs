using System.Net.Http.Json;
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
        var path = model is null ? "/api/v1/search?" : $"{PathOf(model)}/versions?";
        var found = await ReadAsync<VersionView>(path, most, cancellationToken).ConfigureAwait(false);
        return [.. found.OrderBy(v => v.Model, StringComparer.Ordinal).ThenByDescending(v => v.Version)];
    }

    public Task<ModelView> FindModelAsync(string model, CancellationToken cancellationToken) =>
        registry.GetAsync<ModelView>(PathOf(model), cancellationToken);

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
        return await registry.GetAsync<VersionDetails>(PathOf(wanted.Model, number), cancellationToken).ConfigureAwait(false);
    }

    public Task<MoveView> MoveAliasAsync(VersionView version, string alias, string reason, CancellationToken cancellationToken) =>
        SendAsync<MoveView>(HttpMethod.Put, AliasOf(version.Model, alias), new AliasTarget(version.Version, reason), cancellationToken);

    public Task<MoveView> RevertAliasAsync(string model, string alias, string reason, CancellationToken cancellationToken) =>
        SendAsync<MoveView>(HttpMethod.Post, $"{AliasOf(model, alias)}/revert", new RevertReason(reason), cancellationToken);

    public Task<MoveView> RemoveAliasAsync(string model, string alias, string reason, CancellationToken cancellationToken) =>
        registry.SendAsync<MoveView>(HttpMethod.Delete, $"{AliasOf(model, alias)}?reason={Uri.EscapeDataString(reason)}", null, cancellationToken);

    public Task<IReadOnlyList<MoveView>> MovesAsync(string model, int most, CancellationToken cancellationToken) =>
        ReadAsync<MoveView>($"{PathOf(model)}/aliases/moves?", most, cancellationToken);

    public async Task<IReadOnlyDictionary<string, string>> ChangeTagsAsync(
        string model, int? version, IReadOnlyDictionary<string, string?> tags, CancellationToken cancellationToken)
    {
        var changes = new Changes(Description: null, tags);
        return version is { } number
            ? (await SendAsync<VersionView>(HttpMethod.Patch, PathOf(model, number), changes, cancellationToken).ConfigureAwait(false)).Tags
            : (await SendAsync<ModelView>(HttpMethod.Patch, PathOf(model), changes, cancellationToken).ConfigureAwait(false)).Tags;
    }

    public Task<VersionComparison> CompareAsync(VersionView left, VersionView right, CancellationToken cancellationToken) =>
        registry.GetAsync<VersionComparison>($"/api/v1/compare?left={Named(left)}&right={Named(right)}", cancellationToken);

    public Task<Signature> SignAsync(VersionView version, SigningKey key, CancellationToken cancellationToken) =>
        SendAsync<Signature>(
            HttpMethod.Put, $"{PathOf(version)}/signatures", new NewSignature(key.PublicPem, Convert.ToBase64String(key.Sign(version.Root))),
            cancellationToken);

    public async Task<IReadOnlyList<TrustedKey>> TrustedKeysAsync(CancellationToken cancellationToken) =>
        (await registry.GetAsync<TrustedKeys>("/api/v1/signing-keys", cancellationToken).ConfigureAwait(false)).Items;

    public Task<TrustedKey> TrustAsync(string name, SigningKey key, CancellationToken cancellationToken) =>
        SendAsync<TrustedKey>(HttpMethod.Post, "/api/v1/signing-keys", new NewTrustedKey(name, key.PublicPem), cancellationToken);

    public async Task DistrustAsync(string keyId, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, $"/api/v1/signing-keys/{Uri.EscapeDataString(keyId)}");
        using var answer = await registry.SendAsync(request, HttpCompletionOption.ResponseContentRead, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The server reads, and answers when it has read everything: there is no progress to report.</summary>
    public Task<Registry.Signing.Verification> VerifyAsync(
        VersionView version, IProgress<(long Done, long Total)> progress, CancellationToken cancellationToken) =>
        registry.SendAsync<Registry.Signing.Verification>(HttpMethod.Post, $"{PathOf(version)}/verify", null, cancellationToken);

    public Task<CollectionReport> CollectAsync(CollectionOptions options, CancellationToken cancellationToken) =>
        SendAsync<CollectionReport>(
            HttpMethod.Post, "/api/v1/storage/gc", new CollectionRequest(options.DryRun, Seconds(options.Grace), Seconds(options.CacheAge)), cancellationToken);

    public ValueTask DisposeAsync()
    {
        registry.Dispose();
        return ValueTask.CompletedTask;
    }

    private static string PathOf(string model) => $"/api/v1/models/{Uri.EscapeDataString(model)}";

    private static string PathOf(string model, int version) => $"{PathOf(model)}/versions/{version}";

    private static string PathOf(VersionView version) => PathOf(version.Model, version.Version);

    private static string AliasOf(string model, string alias) => $"{PathOf(model)}/aliases/{Uri.EscapeDataString(alias)}";

    private static string Named(VersionView version) => Uri.EscapeDataString($"{version.Model}@{version.Version}");

    private static string? Seconds(TimeSpan? length) => length is { } some ? $"{(long)some.TotalSeconds}s" : null;

    private Task<T> SendAsync<T>(HttpMethod method, string path, object body, CancellationToken cancellationToken) =>
        registry.SendAsync<T>(method, path, JsonContent.Create(body, body.GetType(), options: WireJson.Options), cancellationToken);

    private async Task<IReadOnlyList<T>> ReadAsync<T>(string path, int most, CancellationToken cancellationToken)
    {
        var items = new List<T>();
        for (var cursor = ""; items.Count < most;)
        {
            var limit = Math.Min(PageLength, most - items.Count);
            var page = await registry.GetAsync<Page<T>>(
                $"{path}limit={limit}{(cursor.Length > 0 ? $"&cursor={Uri.EscapeDataString(cursor)}" : "")}", cancellationToken).ConfigureAwait(false);
            items.AddRange(page.Items);
            if (page.Next is not { Length: > 0 } next)
                break;
            cursor = next;
        }
        return items;
    }
}
