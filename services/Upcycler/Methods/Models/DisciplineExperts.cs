using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Pipelines.Options;
using Espalier.Surgery;
using Espalier.Upcycler.Growth;

namespace Espalier.Upcycler.Methods.Models;

/// <summary>
/// Innovator's second stage (arXiv 2507.18671): the feed-forwards of D models that went on from one dense base, each trained
/// on one discipline, are cut into q shards each and become D q routed experts beside the base's own as a shared expert. The
/// shards of a discipline get one router row, so that they are chosen together at first. Shared and routed output are halved
/// (our choice, where the abstract is silent): y = (FFN_base(x) + FFN_d(x)) / 2 while one discipline d is chosen, which is
/// the base itself where d has not moved.
/// </summary>
public sealed class DisciplineExperts : IModelGrowth
{
    private const double Half = 0.5;

    /// <inheritdoc/>
    public string Name => "disciplines";

    /// <inheritdoc/>
    public string Summary => "Fine-grained experts from several dense models of one base, which stays as a shared expert (arXiv 2507.18671).";

    /// <inheritdoc/>
    public ModelConfig Configure(ModelConfig source, GrowthOptions options)
    {
        var own = options.Own<DisciplineOptions>();
        DenseFamilies.RequireDense(source, Name);
        if (source.DenseSize % own.Shards != 0)
            throw new UserInputException($"shards: {own.Shards} does not divide the {source.DenseSize} neurons. "
                + $"Use {string.Join(", ", Enumerable.Range(1, Math.Min(source.DenseSize, 64)).Where(q => source.DenseSize % q == 0).Take(8))}.");
        var grown = source with
        {
            Family = DenseFamilies.Mixture(source.Family, isShared: true),
            Experts = own.Disciplines * own.Shards,
            ExpertsPerToken = own.Shards,
            ExpertSize = source.DenseSize / own.Shards,
            NormalizeTopK = true,
            ScoreFunction = ScoreFunction.Softmax,
            DenseLayers = [],
        };
        return SharedExperts.In(grown, source.DenseSize);
    }

    /// <inheritdoc/>
    public async Task WriteAsync(ModelGrowth growth, CancellationToken cancellationToken)
    {
        var own = growth.Options.Own<DisciplineOptions>();
        Check(growth, own);
        var taken = growth.Grown.SparseLayers.SelectMany(layer => ModelGrowth.Projections.Select(p => TensorNames.DenseMlp(layer, p))).ToHashSet();
        foreach (var tensor in growth.Source.Others.Where(t => !taken.Contains(t.Name)))
            growth.Keep(tensor);
        var factor = Half * SharedExperts.DownFactor(growth.Grown);
        foreach (var layer in growth.Grown.SparseLayers)
        {
            var dtype = ModelGrowth.Dense(growth.Source, layer, "gate").DType;
            await SharedExperts.AddGateAsync(growth, layer, dtype, cancellationToken).ConfigureAwait(false);
            foreach (var projection in ModelGrowth.Projections)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var dense = ModelGrowth.Dense(growth.Source, layer, projection);
                if (projection == "down" && factor != 1)
                    await growth.AddAsync(TensorNames.SharedExpert(layer, projection), dense.DType, dense.Shape,
                        growth.Source.ReadFloats(dense).Select(v => (float)(v * factor)).ToArray(), cancellationToken).ConfigureAwait(false);
                else
                    growth.Keep(dense, TensorNames.SharedExpert(layer, projection));
                for (var discipline = 0; discipline < own.Disciplines; discipline++)
                    await AddShardsAsync(growth, growth.Others[discipline], layer, projection, discipline * own.Shards, own.Shards, cancellationToken)
                        .ConfigureAwait(false);
            }
            for (var expert = 0; expert < growth.Grown.Experts; expert++)
                growth.Origin(layer, expert, growth.Others[expert / own.Shards], layer, 0);
            await growth.AddRouterAsync(
                layer, [.. Enumerable.Range(0, growth.Grown.Experts).Select(expert => expert / own.Shards)],
                own.RouterSpread, dtype, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public long NewBytes(ModelConfig source, ModelConfig grown, GrowthOptions options, int elementBytes) =>
        grown.Layers * (grown.Experts * grown.ExpertParameters + (long)source.HiddenSize * source.DenseSize) * elementBytes;

    private static async Task AddShardsAsync(
        ModelGrowth growth, MoeCheckpoint model, int layer, string projection, int first, int shards, CancellationToken cancellationToken)
    {
        var (entry, config) = (ModelGrowth.Dense(model, layer, projection), growth.Source.Config);
        var values = model.ReadFloats(entry);
        var width = config.DenseSize / shards;
        for (var shard = 0; shard < shards; shard++)
            await growth.AddAsync(
                TensorNames.Expert(layer, first + shard, projection), entry.DType, FineGrainedSplit.Shape(projection, width, config.HiddenSize),
                FineGrainedSplit.Cut(values, projection, config, [.. Enumerable.Range(shard * width, width)], shards * Half), cancellationToken)
                    .ConfigureAwait(false);
    }

    // The disciplines' attention, embeddings and norms must be the base's: only those of the base are kept.
    private static void Check(ModelGrowth growth, DisciplineOptions own)
    {
        if (growth.Others.Count != own.Disciplines)
            throw new UserInputException($"disciplines: {own.Disciplines}, but {growth.Others.Count} models beside the base are among the step's needs. "
                + "Name the base in 'from' and every discipline's step in 'needs'.");
        foreach (var other in growth.Others)
        {
            if (other.Config.DenseSize != growth.Source.Config.DenseSize || other.Config.HiddenSize != growth.Source.Config.HiddenSize
                || other.Config.Layers != growth.Source.Config.Layers)
                throw new UserInputException(
                    $"needs: model {other.Artifact.Root.Short} has another shape than the base. Train every discipline from the base.");
            foreach (var tensor in growth.Source.Others.Where(t => !t.Name.Contains(".mlp.", StringComparison.Ordinal)))
                if (!other.Read(other.Tensor(tensor.Name)).AsSpan().SequenceEqual(growth.Source.Read(tensor)))
                    throw new UserInputException($"needs: '{tensor.Name}' of model {other.Artifact.Root.Short} is not the base's. "
                        + "Train every discipline from the base with 'only: feed-forward'.");
        }
    }
}

/// <summary>Options of <see cref="DisciplineExperts"/>.</summary>
[MethodOptions(typeof(UpcycleOptions), "disciplines")]
public sealed record DisciplineOptions
{
    /// <summary>Models beside the base.</summary>
    [Option("Models beside the base, each trained on one discipline.", Min = 1, Max = 1024, Required = true)]
    public int Disciplines { get; init; }

    /// <summary>Shards of each feed-forward; as many are chosen for a token.</summary>
    /// <value>8</value>
    [Option("Shards of each model's feed-forward; as many experts are chosen for a token.", Min = 1, Max = 1 << 12)]
    public int Shards { get; init; } = 8;

    /// <summary>Standard deviation of the fresh router.</summary>
    /// <value>0.02</value>
    [Option("Standard deviation of the fresh router.", Min = 1e-6, Max = 10)]
    public double RouterSpread { get; init; } = 0.02;
}
