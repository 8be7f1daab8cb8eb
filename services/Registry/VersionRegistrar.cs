using System.Text.Json.Nodes;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Registry.Cards;
using Espalier.Registry.Lineages;
using Espalier.Registry.Queries;
using Espalier.Stages.Worker;

namespace Espalier.Registry;

/// <summary>What a caller states when registering a checkpoint; the rest is read from the store.</summary>
public sealed record Registration
{
    /// <summary>Model name.</summary>
    public required string Model { get; init; }

    /// <summary>The checkpoint.</summary>
    public required ManifestRef Checkpoint { get; init; }

    /// <summary>Key of the registering step: equal keys register once.</summary>
    public required Digest StepKey { get; init; }

    /// <summary>The run; empty for an import.</summary>
    public Guid RunId { get; init; }

    /// <summary>Where an import came from.</summary>
    public string Origin { get; init; } = "";

    /// <summary>Free text, appended to the card.</summary>
    public string Description { get; init; } = "";

    /// <summary>Evaluation reports that speak of it.</summary>
    public IReadOnlyList<Digest> Reports { get; init; } = [];

    /// <summary>Metrics by name.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>Tags.</summary>
    public IReadOnlyDictionary<string, string> Tags { get; init; } = new Dictionary<string, string>();
}

/// <summary>Registers checkpoints with everything that manifests and receipts say about them.</summary>
public sealed class VersionRegistrar(ModelRegistry registry, ModelQueries queries, TimeProvider time)
{
    /// <summary>Reads the checkpoint's configuration, ancestry and receipts, writes its card and registers it.</summary>
    /// <exception cref="UserInputException">The artifact is not a checkpoint, or a name is wrong.</exception>
    public async Task<(ModelVersion Version, bool IsNew)> RegisterAsync(ArtifactStore store, Registration registration, CancellationToken cancellationToken)
    {
        ModelRegistry.ValidateName(registration.Model, "model name");
        ModelRegistry.CheckDescription(registration.Description);
        StorableText.Check(registration.Origin, "The origin");
        var reader = await CheckpointReader.OpenAsync(store, registration.Checkpoint, cancellationToken).ConfigureAwait(false);
        if (reader.Manifest.Kind != ArtifactKind.Checkpoint)
        {
            throw new UserInputException(
                $"{registration.Checkpoint.Root.Short} is a {reader.Manifest.Kind}, not a checkpoint, and cannot be registered as a model.");
        }
        var lineage = await Lineage.TraceAsync(store, registration.Checkpoint.Root, cancellationToken).ConfigureAwait(false);
        var facts = new CardFacts
        {
            Model = registration.Model,
            Checkpoint = registration.Checkpoint,
            Shape = StoredShape.Of(reader),
            Lineage = lineage,
            Names = await queries.NamesOfAsync([.. lineage.Select(n => n.Root)], cancellationToken).ConfigureAwait(false),
            Datasets = await DatasetsOfAsync(store, lineage, cancellationToken).ConfigureAwait(false),
            Receipts = await ReceiptsOfAsync(store, lineage, cancellationToken).ConfigureAwait(false),
            Measures = Measure.Fold(registration.Metrics),
            Origin = registration.Origin,
            Licence = LicenceOf(reader),
        };
        var made = lineage[0].Step;
        return await registry.RegisterAsync(
            new NewVersion
            {
                Model = registration.Model,
                Checkpoint = registration.Checkpoint,
                StepKey = registration.StepKey,
                RunId = registration.RunId,
                Step = made?.Name ?? "",
                Stage = made?.Stage ?? (registration.Origin.Length > 0 ? "import" : ""),
                Origin = registration.Origin,
                Description = registration.Description,
                Card = ModelCard.Write(facts, time.GetUtcNow()),
                NewBytes = await NewBytesAsync(store, lineage, cancellationToken).ConfigureAwait(false),
                Shape = facts.Shape,
                Lineage = lineage,
                Reports = registration.Reports,
                Metrics = registration.Metrics,
                Tags = registration.Tags,
            },
            cancellationToken).ConfigureAwait(false);
    }

    private static string? LicenceOf(CheckpointReader reader)
    {
        if (!reader.HasFile("config.json"))
            return null;
        try
        {
            return JsonNode.Parse(reader.ReadFile("config.json"))?["license"]?.GetValue<string>();
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static async Task<IReadOnlyList<CardDataset>> DatasetsOfAsync(
        ArtifactStore store, IReadOnlyList<LineageNode> lineage, CancellationToken cancellationToken)
    {
        var datasets = new List<CardDataset>();
        foreach (var node in lineage.Where(n => n.Kind == ArtifactKind.Dataset))
        {
            var manifest = await store.ReadAsync(node.Root, cancellationToken).ConfigureAwait(false);
            datasets.Add(CardDataset.Of(node.Root, manifest.Properties));
        }
        return datasets;
    }

    /// <summary>The receipts of an ancestry, each after those of what its step worked on.</summary>
    private static async Task<IReadOnlyList<StepReceipt>> ReceiptsOfAsync(
        ArtifactStore store, IReadOnlyList<LineageNode> lineage, CancellationToken cancellationToken)
    {
        var receipts = new List<StepReceipt>();
        var nodes = lineage.ToDictionary(n => n.Root);
        var parents = lineage.SelectMany(n => n.Parents, (n, p) => (n.Root, Parent: p.Manifest)).ToLookup(p => p.Root, p => p.Parent);
        var order = AncestryOrder.ParentsFirst(lineage[0].Root, parents);
        foreach (var key in order.Select(root => nodes.GetValueOrDefault(root)?.Step?.Key).OfType<Digest>().Distinct())
        {
            if (await StepReceipt.FindAsync(store, key, cancellationToken).ConfigureAwait(false) is { } receipt)
                receipts.Add(receipt);
        }
        return receipts;
    }

    private static async Task<long> NewBytesAsync(ArtifactStore store, IReadOnlyList<LineageNode> lineage, CancellationToken cancellationToken)
    {
        try
        {
            var ancestors = lineage.Skip(1).Where(n => n.Kind == ArtifactKind.Checkpoint).Select(n => n.Root);
            var added = await StoreUsage.NewBytesAsync(store, lineage[0].Root, ancestors, cancellationToken).ConfigureAwait(false);
            // Without its manifest, as its logical size is: a part is never more than the whole.
            return added - await store.Blobs.FindLengthAsync(lineage[0].Root, cancellationToken).ConfigureAwait(false) ?? 0;
        }
        catch (MissingBlobException)
        {
            return 0; // an ancestor vanished in between: how much is new is unknown
        }
    }
}
