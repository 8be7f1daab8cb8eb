using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Registry.Queries;
using Espalier.Stages.Worker;

namespace Espalier.Registry.Api;

/// <summary>A model as the API shows it.</summary>
public sealed record ModelView(
    string Name, string Description, IReadOnlyDictionary<string, string> Tags, int Versions, int Latest, IReadOnlyDictionary<string, int> Aliases,
    DateTimeOffset Updated, DateTimeOffset Created)
{
    /// <summary>The view of a model.</summary>
    public static ModelView Of(ModelSummary model) =>
        new(model.Name, model.Description, model.Tags, model.Versions, model.Latest, model.Aliases, model.Updated, model.Created);
}

/// <summary>Parameters of a version.</summary>
public sealed record ParameterCounts(long Total, long Active);

/// <summary>Bytes of a version: all, and those that its ancestry does not have.</summary>
public sealed record VersionBytes(long Logical, long New);

/// <summary>A version in a list.</summary>
public record VersionView
{
    /// <summary>Model name.</summary>
    public required string Model { get; init; }

    /// <summary>Version, from 1.</summary>
    public required int Version { get; init; }

    /// <summary>Manifest root.</summary>
    public required Digest Root { get; init; }

    /// <summary>When it was registered.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Run that made it; absent for an import.</summary>
    public Guid? Run { get; init; }

    /// <summary>Step that made it; absent for an import.</summary>
    public string? Step { get; init; }

    /// <summary>Where an import came from.</summary>
    public string? Origin { get; init; }

    /// <summary>Parameters; zeros when the configuration could not be read.</summary>
    public required ParameterCounts Params { get; init; }

    /// <summary>Bytes.</summary>
    public required VersionBytes Bytes { get; init; }

    /// <summary>Configuration in short.</summary>
    public required ShapeView Shape { get; init; }

    /// <summary>Metrics by name.</summary>
    public required IReadOnlyDictionary<string, Measure> Metrics { get; init; }

    /// <summary>Tags.</summary>
    public required IReadOnlyDictionary<string, string> Tags { get; init; }

    /// <summary>Aliases that point here.</summary>
    public required IReadOnlyList<string> Aliases { get; init; }

    /// <summary>Whether it has a signature.</summary>
    public required bool Signed { get; init; }

    /// <summary>An empty view.</summary>
    public VersionView()
    {
    }

    /// <summary>The view of a version.</summary>
    [SetsRequiredMembers]
    internal VersionView(ModelVersion version)
    {
        Model = version.Model;
        Version = version.Version;
        Root = version.Root;
        Created = version.CreatedAt;
        Run = version.RunId == Guid.Empty ? null : version.RunId;
        Step = version.Step.Length == 0 ? null : version.Step;
        Origin = version.Origin.Length == 0 ? null : version.Origin;
        Params = new ParameterCounts(version.Shape.TotalParameters, version.Shape.ActiveParameters);
        Bytes = new VersionBytes(version.SizeBytes, version.NewBytes);
        Shape = new ShapeView(version.Shape.Family, version.Shape.Layers, version.Shape.Experts, version.Shape.ExpertsPerToken);
        Metrics = version.Measures;
        Tags = version.Tags;
        Aliases = version.Aliases;
        Signed = version.Signatures > 0;
    }

    /// <summary>The view of a version.</summary>
    public static VersionView Of(ModelVersion version) => new(version);
}

/// <summary>Family, layers, experts of a layer and experts of a token.</summary>
public sealed record ShapeView(string Family, int Layers, int Experts, int ExpertsPerToken);

/// <summary>A version with everything that is known of it.</summary>
public sealed record VersionDetails : VersionView
{
    /// <summary>Free text.</summary>
    public required string Description { get; init; }

    /// <summary><c>config.json</c>; absent when the store does not have it.</summary>
    public JsonElement? Config { get; init; }

    /// <summary>What it was made from.</summary>
    public required IReadOnlyList<ParentView> Parents { get; init; }

    /// <summary>The model card, Markdown with front matter.</summary>
    public required string Card { get; init; }

    /// <summary>Files of the Hugging Face directory.</summary>
    public required IReadOnlyList<FileView> Files { get; init; }

    /// <summary>Receipts of the steps in its ancestry, each after those of what its step worked on.</summary>
    public required IReadOnlyList<StepReceipt> Receipts { get; init; }

    /// <summary>What whoever uses the version must know, as the step that made it says: what other loaders cannot run, what was left out.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>An empty view.</summary>
    public VersionDetails()
    {
    }

    /// <summary>The facts of a version; the rest is still to be set.</summary>
    [SetsRequiredMembers]
    internal VersionDetails(ModelVersion version) : base(version) =>
        (Description, Card, Parents, Files, Receipts) = ("", "", [], [], []);
}

/// <summary>One artifact that a version was made from.</summary>
public sealed record ParentView(Digest Root, string Relation, string? Model, int? Version);

/// <summary>A file of a version.</summary>
/// <param name="Path">Path within the directory.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Sha256">Digest of its bytes; absent for weight files, which are assembled from tensors while they are sent.</param>
/// <param name="Etag">Changes when the bytes change.</param>
public sealed record FileView(string Path, long Size, string? Sha256, string Etag);

/// <summary>What may be changed of a model or version. A tag with the value null is taken away.</summary>
public sealed record Changes(string? Description, IReadOnlyDictionary<string, string?>? Tags);

/// <summary>Where an alias shall point, and why.</summary>
public sealed record AliasTarget(int? Version, string? Reason);

/// <summary>Why an alias is put back.</summary>
public sealed record RevertReason(string? Reason);

/// <summary>A move of an alias.</summary>
public sealed record MoveView(string Alias, int? Version, int? Previous, string Actor, string Reason, DateTimeOffset MovedAt, AliasMoveKind Kind)
{
    /// <summary>The view of a move.</summary>
    public static MoveView Of(AliasMove move) =>
        new(move.Alias, move.Version == 0 ? null : move.Version, move.Previous is > 0 ? move.Previous : null, move.Actor, move.Reason, move.MovedAt, move.Kind);
}
