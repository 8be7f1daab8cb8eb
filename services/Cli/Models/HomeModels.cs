using Espalier.Artifacts;
using Espalier.Cli.Hosting;
using Espalier.Contracts;
using Espalier.Registry;
using Espalier.Registry.Api;
using Espalier.Registry.Comparisons;
using Espalier.Registry.Gates;
using Espalier.Registry.Queries;
using Espalier.Registry.Signing;
using Espalier.Registry.Storage;

namespace Espalier.Cli.Models;

/// <summary>Models whose names and blobs this process reads itself: those of a home, or of the store and database that settings name.</summary>
internal sealed class HomeModels(OpenRegistry registry, ArtifactStore store) : IModels
{
    private static string Actor => Environment.UserName;

    /// <summary>Those of a home's own files.</summary>
    public static async Task<HomeModels> OpenAsync(EspalierHome home, CancellationToken cancellationToken) =>
        new(await OpenRegistry.OpenAsync(home, cancellationToken).ConfigureAwait(false), home.OpenStore());

    /// <summary>Those of the store and the database that a command examines.</summary>
    public static async Task<HomeModels> OpenAsync(EspalierHome home, StoreInUse place, CancellationToken cancellationToken)
    {
        home.Create();
        var store = place.Open();
        return new HomeModels(await OpenRegistry.OpenAsync(place.Registry, () => store, cancellationToken).ConfigureAwait(false), store);
    }

    /// <summary>The store that holds the blobs.</summary>
    public ArtifactStore Store => store;

    public async Task<IReadOnlyList<VersionView>> ListAsync(string? model, int most, CancellationToken cancellationToken) =>
        [.. (await registry.Models.ListAsync(model, most, cancellationToken).ConfigureAwait(false)).Select(VersionView.Of)];

    public async Task<ModelView> FindModelAsync(string model, CancellationToken cancellationToken) =>
        await registry.Queries.FindModelAsync(model, cancellationToken).ConfigureAwait(false) is { } found
            ? ModelView.Of(found)
            : throw new UserInputException($"There is no model '{model}'; espalier models lists what there is.");

    public async Task<VersionView> ResolveAsync(string reference, CancellationToken cancellationToken) =>
        VersionView.Of(await registry.Models.ResolveAsync(reference, cancellationToken).ConfigureAwait(false));

    public async Task<MoveView> MoveAliasAsync(VersionView version, string alias, string reason, CancellationToken cancellationToken)
    {
        try
        {
            return MoveView.Of(await registry.Models.MoveAliasAsync(
                version.Model, alias, version.Version, Actor, reason, cancellationToken).ConfigureAwait(false));
        }
        catch (GateRefusedException e)
        {
            throw new UserInputException($"The alias did not move: {e.Message}", e);
        }
    }

    public async Task<MoveView> RevertAliasAsync(string model, string alias, string reason, CancellationToken cancellationToken) =>
        MoveView.Of(await registry.Models.RevertAliasAsync(model, alias, Actor, reason, cancellationToken).ConfigureAwait(false));

    public async Task<MoveView> RemoveAliasAsync(string model, string alias, string reason, CancellationToken cancellationToken) =>
        MoveView.Of(await registry.Models.RemoveAliasAsync(model, alias, Actor, reason, cancellationToken).ConfigureAwait(false));

    public async Task<IReadOnlyList<MoveView>> MovesAsync(string model, int most, CancellationToken cancellationToken) =>
        [.. (await registry.Queries.ListMovesAsync(model, most, null, cancellationToken).ConfigureAwait(false)).Items.Select(MoveView.Of)];

    public async Task<IReadOnlyDictionary<string, string>> ChangeTagsAsync(
        string model, int? version, IReadOnlyDictionary<string, string?> tags, CancellationToken cancellationToken)
    {
        await registry.Models.ChangeAsync(model, version, description: null, tags, cancellationToken).ConfigureAwait(false);
        return version is { } number
            ? (await ResolveAsync($"{model}@{number}", cancellationToken).ConfigureAwait(false)).Tags
            : (await FindModelAsync(model, cancellationToken).ConfigureAwait(false)).Tags;
    }

    public async Task<VersionComparison> CompareAsync(VersionView left, VersionView right, CancellationToken cancellationToken) =>
        await registry.Comparer.CompareAsync(
            await StoredAsync(left, cancellationToken).ConfigureAwait(false), await StoredAsync(right, cancellationToken).ConfigureAwait(false),
            cancellationToken).ConfigureAwait(false);

    public async Task<Signature> SignAsync(VersionView version, SigningKey key, CancellationToken cancellationToken) =>
        await registry.Signatures.AddAsync(
            await StoredAsync(version, cancellationToken).ConfigureAwait(false), key.PublicPem, Convert.ToBase64String(key.Sign(version.Root)), Actor,
            cancellationToken).ConfigureAwait(false);

    public Task<IReadOnlyList<TrustedKey>> TrustedKeysAsync(CancellationToken cancellationToken) => registry.Signatures.TrustedAsync(cancellationToken);

    public Task<TrustedKey> TrustAsync(string name, SigningKey key, CancellationToken cancellationToken) =>
        registry.Signatures.TrustAsync(name, key.PublicPem, Actor, cancellationToken);

    public async Task DistrustAsync(string keyId, CancellationToken cancellationToken)
    {
        if (!await registry.Signatures.DistrustAsync(keyId, cancellationToken).ConfigureAwait(false))
            throw new UserInputException($"There is no trusted key '{keyId}'; see espalier signing-key list.");
    }

    public async Task<Registry.Signing.Verification> VerifyAsync(
        VersionView version, IProgress<(long Done, long Total)> progress, CancellationToken cancellationToken) =>
        await registry.Verifier.VerifyAsync(
            store, await StoredAsync(version, cancellationToken).ConfigureAwait(false), cancellationToken, progress).ConfigureAwait(false);

    public Task<CollectionReport> CollectAsync(CollectionOptions options, CancellationToken cancellationToken) =>
        registry.Collector.CollectAsync(options, cancellationToken);

    public ValueTask DisposeAsync() => registry.DisposeAsync();

    private Task<ModelVersion> StoredAsync(VersionView version, CancellationToken cancellationToken) =>
        registry.Models.ResolveAsync($"{version.Model}@{version.Version}", cancellationToken);
}
