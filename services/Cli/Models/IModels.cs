using Espalier.Contracts;
using Espalier.Registry;
using Espalier.Registry.Api;
using Espalier.Registry.Comparisons;
using Espalier.Registry.Signing;
using Espalier.Registry.Storage;

namespace Espalier.Cli.Models;

/// <summary>The models of a context, whose commands are the same for a home and for a registry server.</summary>
internal interface IModels : IAsyncDisposable
{
    /// <summary>Versions by model, newest first.</summary>
    /// <param name="model">Only this one.</param>
    /// <param name="most">How many at most.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    Task<IReadOnlyList<VersionView>> ListAsync(string? model, int most, CancellationToken cancellationToken);

    /// <summary>A model.</summary>
    /// <exception cref="UserInputException">There is none.</exception>
    Task<ModelView> FindModelAsync(string model, CancellationToken cancellationToken);

    /// <summary>The version of a reference: <c>NAME</c> (newest), <c>NAME@VERSION</c> or <c>NAME@ALIAS</c>.</summary>
    /// <exception cref="UserInputException">There is none.</exception>
    Task<VersionView> ResolveAsync(string reference, CancellationToken cancellationToken);

    /// <summary>Points an alias to a version, past its gate.</summary>
    /// <exception cref="UserInputException">A gate refuses; the message says which rule, and why.</exception>
    Task<MoveView> MoveAliasAsync(VersionView version, string alias, string reason, CancellationToken cancellationToken);

    /// <summary>Points an alias to where it pointed before its last move.</summary>
    Task<MoveView> RevertAliasAsync(string model, string alias, string reason, CancellationToken cancellationToken);

    /// <summary>Removes an alias.</summary>
    Task<MoveView> RemoveAliasAsync(string model, string alias, string reason, CancellationToken cancellationToken);

    /// <summary>The latest moves of a model's aliases, newest first.</summary>
    Task<IReadOnlyList<MoveView>> MovesAsync(string model, int most, CancellationToken cancellationToken);

    /// <summary>Changes tags of a model, or of one version of it; a tag with the value null is taken away. Returns all its tags.</summary>
    Task<IReadOnlyDictionary<string, string>> ChangeTagsAsync(
        string model, int? version, IReadOnlyDictionary<string, string?> tags, CancellationToken cancellationToken);

    /// <summary>Two versions beside each other.</summary>
    Task<VersionComparison> CompareAsync(VersionView left, VersionView right, CancellationToken cancellationToken);

    /// <summary>Keeps a signature over a version's manifest root.</summary>
    Task<Signature> SignAsync(VersionView version, SigningKey key, CancellationToken cancellationToken);

    /// <summary>Public keys that are trusted.</summary>
    Task<IReadOnlyList<TrustedKey>> TrustedKeysAsync(CancellationToken cancellationToken);

    /// <summary>Trusts a public key.</summary>
    Task<TrustedKey> TrustAsync(string name, SigningKey key, CancellationToken cancellationToken);

    /// <summary>Stops trusting a key.</summary>
    /// <exception cref="UserInputException">It was not trusted.</exception>
    Task DistrustAsync(string keyId, CancellationToken cancellationToken);

    /// <summary>Reads every byte of a version and of its ancestors again, and checks signatures.</summary>
    Task<Registry.Signing.Verification> VerifyAsync(VersionView version, IProgress<(long Done, long Total)> progress, CancellationToken cancellationToken);

    /// <summary>Deletes what nothing needs, in two phases.</summary>
    Task<CollectionReport> CollectAsync(CollectionOptions options, CancellationToken cancellationToken);
}
