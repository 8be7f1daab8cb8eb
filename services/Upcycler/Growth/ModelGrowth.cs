using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Surgery;
using Espalier.Upcycler.Methods;

namespace Espalier.Upcycler.Growth;

/// <summary>One growth of a whole model: what it reads and where it writes. One matrix is in memory at a time.</summary>
public sealed class ModelGrowth
{
    private readonly CheckpointWriter _writer;
    private readonly ArtifactStore _store;
    private readonly Dictionary<long, Digest> _zeros = [];

    private ModelGrowth(ArtifactStore store, CheckpointWriter writer, MoeCheckpoint source, IReadOnlyList<MoeCheckpoint> others,
        ModelConfig grown, GrowthOptions options) =>
        (_store, _writer, Source, Others, Grown, Options) = (store, writer, source, others, grown, options);

    /// <summary>The model that grows.</summary>
    public MoeCheckpoint Source { get; }

    /// <summary>Further models among the step's inputs.</summary>
    public IReadOnlyList<MoeCheckpoint> Others { get; }

    /// <summary>What it becomes.</summary>
    public ModelConfig Grown { get; }

    /// <summary>The stage's options and the method's.</summary>
    public GrowthOptions Options { get; }

    /// <summary>The configuration of the grown model, without prediction layers.</summary>
    /// <exception cref="UserInputException">The model or the options do not allow it; says what would.</exception>
    public static ModelConfig Configure(IModelGrowth method, ModelConfig source, GrowthOptions options) =>
        method.Configure(source with { ExtraLayers = 0 }, options);

    /// <summary>Writes and publishes the grown model.</summary>
    public static async Task<ManifestRef> RunAsync(
        ArtifactStore store, IModelGrowth method, MoeCheckpoint source, IReadOnlyList<MoeCheckpoint> others,
        ModelConfig grown, GrowthOptions options, Digest stepKey, CancellationToken cancellationToken)
    {
        using var writer = new CheckpointWriter(store);
        foreach (var file in source.Manifest.Files.Where(f => f.Path != "config.json"))
            writer.AddExisting(file);
        writer.AddConfig(grown.ToJson());
        await method.WriteAsync(new ModelGrowth(store, writer, source, others, grown, options), cancellationToken).ConfigureAwait(false);
        foreach (var parent in others.Prepend(source))
            writer.AddParent(new Parent(parent.Artifact.Root, "upcycled", stepKey));
        return await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Names a tensor of the source; no bytes move. Those of prediction layers are left out.</summary>
    public void Keep(TensorEntry tensor, string? name = null)
    {
        if (!Source.Config.IsInExtraLayer(tensor.Name))
            _writer.AddExisting(tensor, name);
    }

    /// <summary>Stores a new tensor.</summary>
    public Task AddAsync(string name, string dtype, IReadOnlyList<long> shape, ReadOnlyMemory<float> values, CancellationToken cancellationToken) =>
        _writer.AddTensorAsync(name, dtype, shape, FloatBytes.FromFloats(dtype, values.Span), cancellationToken);

    /// <summary>Stores zeros; tensors of one size share their bytes.</summary>
    public async Task AddZerosAsync(string name, TensorEntry like, CancellationToken cancellationToken)
    {
        if (!_zeros.TryGetValue(like.SizeBytes, out var digest))
            _zeros[like.SizeBytes] = digest = (await _store.Blobs.PutAsync(new byte[like.SizeBytes], cancellationToken).ConfigureAwait(false)).Digest;
        _writer.AddExisting(like with { Name = name, Blob = digest, Offset = 0 });
    }

    /// <summary>Says where an expert came from.</summary>
    public void Origin(int layer, int expert, MoeCheckpoint parent, int parentLayer, int parentExpert) =>
        _writer.AddExpertOrigin(new ExpertOrigin(layer, expert, parent.Artifact.Root, parentLayer, parentExpert));

    /// <summary>One projection of a dense layer's feed-forward: <c>gate</c>, <c>up</c> or <c>down</c>.</summary>
    public static TensorEntry Dense(MoeCheckpoint model, int layer, string projection) => model.Tensor(TensorNames.DenseMlp(layer, projection));

    /// <summary>The three projections.</summary>
    public static IReadOnlyList<string> Projections { get; } = ["gate", "up", "down"];

    /// <summary>A fresh router, normal with the given spread, each row from a stream of its own.</summary>
    public Task AddRouterAsync(int layer, IReadOnlyList<int> rowOf, double spread, string dtype, CancellationToken cancellationToken)
    {
        var width = Grown.HiddenSize;
        var rows = new float[rowOf.Count * width];
        for (var expert = 0; expert < rowOf.Count; expert++)
        {
            var random = new KeyedRandom(Options.Stage.Seed, layer, $"{TensorNames.Router(layer)}/{rowOf[expert]}");
            for (var i = 0; i < width; i++)
                rows[expert * width + i] = (float)(spread * random.NextNormal());
        }
        return AddAsync(TensorNames.Router(layer), dtype, [rowOf.Count, width], rows, cancellationToken);
    }
}
