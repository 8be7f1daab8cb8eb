using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Pipelines.Options;
using Espalier.Surgery;
using Espalier.Upcycler.Growth;

namespace Espalier.Upcycler.Methods.Models;

/// <summary>
/// Finer experts (DeepSeekMoE, arXiv 2401.06066). For any partition S_1 .. S_q of the neurons,
/// FFN(x) = sum_j W_d[:, S_j] (silu(W_g[S_j] x) * (W_u[S_j] x)): shards that are all chosen with equal gates are the whole.
/// A mixture with E experts and K per token becomes qE and qK: the shards of an expert get its router row, so they tie and
/// are chosen together (lower indices first), and down is multiplied by q where softmax or renormalising divides their gates
/// by q: exact. A dense feed-forward becomes c replicas of q shards, one router row per replica, as in Dynamic-DINO; with
/// gates that sum to 1 it is exact too. Shards differ in weights, so equal rows separate by training.
/// Shared shards stay always on, beside one fewer shard to choose for each.
/// </summary>
public sealed class FineGrainedSplit : IModelGrowth
{
    /// <inheritdoc/>
    public string Name => "split";

    /// <inheritdoc/>
    public string Summary => "Cuts every expert, or dense feed-forward, into finer experts that are chosen together at first (arXiv 2401.06066).";

    /// <inheritdoc/>
    public ModelConfig Configure(ModelConfig source, GrowthOptions options)
    {
        var own = options.Own<SplitOptions>();
        DenseFamilies.RequirePlain(source, Name);
        var width = source.IsMixture ? source.ExpertSize : source.DenseSize;
        if (width % own.Shards != 0)
            throw new UserInputException($"shards: {own.Shards} does not divide the {width} neurons. "
                + $"Use {string.Join(", ", Enumerable.Range(2, Math.Min(width, 64) - 1).Where(q => width % q == 0).Take(8))}.");
        if (source.ExpertGroups > 1 && source.GroupScoreMembers > 1)
            throw new UserInputException($"method: a group of experts (n_group) is scored by the sum of its best {source.GroupScoreMembers}, and the "
                + "shards of one expert would count as several. Models whose groups are scored by their best expert can be split.");
        if (source.SiblingExclusive)
            throw new UserInputException(
                "method: the model still routes by sibling groups of an earlier growth. Continue its training with 'release-siblings' below 1 first.");
        if (source.TopP is not null)
            throw new UserInputException(
                "method: the shards of an expert are chosen together, and top-p routing counts each on its own. Train the model with 'top-p: 1' first.");
        return source.IsMixture ? Finer(source, own) : FromDense(source, own);
    }

    /// <inheritdoc/>
    public async Task WriteAsync(ModelGrowth growth, CancellationToken cancellationToken)
    {
        var isMixture = growth.Source.Config.IsMixture;
        var taken = growth.Grown.SparseLayers.SelectMany(layer => ModelGrowth.Projections.Select(p => TensorNames.DenseMlp(layer, p))).ToHashSet();
        foreach (var tensor in growth.Source.Others.Where(t => isMixture || !taken.Contains(t.Name)))
            growth.Keep(tensor);
        foreach (var layer in growth.Grown.SparseLayers)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (isMixture)
                await SplitExpertsAsync(growth, layer, cancellationToken).ConfigureAwait(false);
            else
                await SplitDenseAsync(growth, layer, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public long NewBytes(ModelConfig source, ModelConfig grown, GrowthOptions options, int elementBytes) =>
        (long)grown.SparseLayers.Count * (source.IsMixture ? grown.Experts : options.Own<SplitOptions>().Shards) * grown.ExpertParameters * elementBytes;

    private static ModelConfig Finer(ModelConfig source, SplitOptions own)
    {
        if (own.Copies > 1 || own.Shared > 0 || own.Active > 1)
            throw new UserInputException("copies, active and shared are for dense models. Leave them out: a mixture keeps its choice, shard by shard; "
                + "more experts come from method copy or utility.");
        return source with
        {
            Experts = source.Experts * own.Shards,
            ExpertsPerToken = source.ExpertsPerToken * own.Shards,
            TargetExpertsPerToken = source.TargetExpertsPerToken * own.Shards,
            Elastic = source.Elastic is { } elastic ? new ElasticExperts(elastic.Least * own.Shards, elastic.Most * own.Shards) : null,
            ExpertSize = source.ExpertSize / own.Shards,
            SiblingGroups = null,
        };
    }

    private static ModelConfig FromDense(ModelConfig source, SplitOptions own)
    {
        DenseFamilies.RequireDense(source, "split");
        if (own.Shared >= own.Shards)
            throw new UserInputException($"shared: {own.Shared} of {own.Shards} shards leaves none to choose. Use at most {own.Shards - 1}.");
        if (own.Active > own.Copies)
            throw new UserInputException($"active: {own.Active} replicas per token of {own.Copies}. Use at most {own.Copies}, or raise copies.");
        var routed = own.Shards - own.Shared;
        var grown = source with
        {
            Family = DenseFamilies.Mixture(source.Family, own.Shared > 0),
            Experts = own.Copies * routed,
            ExpertsPerToken = own.Active * routed,
            ExpertSize = source.DenseSize / own.Shards,
            NormalizeTopK = true,
            ScoreFunction = ScoreFunction.Softmax,
            DenseLayers = [],
        };
        return SharedExperts.In(grown, own.Shared * (source.DenseSize / own.Shards));
    }

    private static async Task SplitExpertsAsync(ModelGrowth growth, int layer, CancellationToken cancellationToken)
    {
        var (source, config) = (growth.Source, growth.Source.Config);
        var shards = growth.Options.Own<SplitOptions>().Shards;
        var factor = config.ScoreFunction == ScoreFunction.Softmax || config.NormalizeTopK ? shards : 1;
        for (var expert = 0; expert < config.Experts; expert++)
        {
            foreach (var projection in ModelGrowth.Projections)
            {
                var entry = source.Projection(layer, expert, projection);
                var values = source.ReadFloats(entry);
                var neurons = Neurons(growth, layer, expert, config.ExpertSize);
                for (var shard = 0; shard < shards; shard++)
                    await growth.AddAsync(
                        TensorNames.Expert(layer, expert * shards + shard, projection), entry.DType,
                        Shape(projection, config.ExpertSize / shards, config.HiddenSize),
                        Cut(values, projection, config, neurons[shard], factor), cancellationToken).ConfigureAwait(false);
            }
            for (var shard = 0; shard < shards; shard++)
                growth.Origin(layer, expert * shards + shard, source, layer, expert);
        }
        await RepeatAsync(growth, source.Router(layer), shards, 1, cancellationToken).ConfigureAwait(false);
        if (source.RouterBias(layer) is { } bias)
            await RepeatAsync(growth, bias, shards, 1, cancellationToken).ConfigureAwait(false);
        if (source.SelectionBias(layer) is { } selection) // shards have 1/q of their expert's softmax each, and keep a sigmoid
            await RepeatAsync(growth, selection, shards, config.ScoreFunction == ScoreFunction.Softmax ? 1.0 / shards : 1, cancellationToken)
                .ConfigureAwait(false);
    }

    private static async Task SplitDenseAsync(ModelGrowth growth, int layer, CancellationToken cancellationToken)
    {
        var (source, config, own) = (growth.Source, growth.Source.Config, growth.Options.Own<SplitOptions>());
        var (routed, width) = (own.Shards - own.Shared, config.DenseSize / own.Shards);
        var neurons = Neurons(growth, layer, 0, config.DenseSize);
        var dtype = ModelGrowth.Dense(source, layer, "gate").DType;
        if (own.Shared > 0)
            await SharedExperts.AddGateAsync(growth, layer, dtype, cancellationToken).ConfigureAwait(false);
        else
            await SharedExperts.AddStandInAsync(growth, layer, dtype, cancellationToken).ConfigureAwait(false);
        foreach (var projection in ModelGrowth.Projections)
        {
            var entry = ModelGrowth.Dense(source, layer, projection);
            var values = source.ReadFloats(entry);
            if (own.Shared > 0)
                await growth.AddAsync(
                    TensorNames.SharedExpert(layer, projection), entry.DType, Shape(projection, own.Shared * width, config.HiddenSize),
                    Cut(values, projection, config, [.. neurons[..own.Shared].SelectMany(n => n)], SharedExperts.DownFactor(growth.Grown)),
                    cancellationToken).ConfigureAwait(false);
            for (var shard = 0; shard < routed; shard++)
            {
                var cut = Cut(values, projection, config, neurons[own.Shared + shard], routed);
                for (var copy = 0; copy < own.Copies; copy++) // equal bytes are stored once
                    await growth.AddAsync(TensorNames.Expert(layer, copy * routed + shard, projection), entry.DType,
                        Shape(projection, width, config.HiddenSize), cut, cancellationToken).ConfigureAwait(false);
            }
        }
        for (var expert = 0; expert < growth.Grown.Experts; expert++)
            growth.Origin(layer, expert, source, layer, 0);
        await growth.AddRouterAsync(
            layer, [.. Enumerable.Range(0, growth.Grown.Experts).Select(expert => expert / routed)], own.RouterSpread, dtype, cancellationToken)
            .ConfigureAwait(false);
    }

    // Rows of some neurons of gate and up; columns of down, times a factor.
    internal static float[] Cut(float[] values, string projection, ModelConfig config, int[] neurons, double factor)
    {
        var hidden = config.HiddenSize;
        var total = values.Length / hidden;
        var cut = new float[neurons.Length * hidden];
        for (var i = 0; i < neurons.Length; i++)
            for (var h = 0; h < hidden; h++)
                if (projection == "down")
                    cut[h * neurons.Length + i] = (float)(values[h * total + neurons[i]] * factor);
                else
                    cut[i * hidden + h] = values[neurons[i] * hidden + h];
        return cut;
    }

    internal static long[] Shape(string projection, long neurons, long hidden) => projection == "down" ? [hidden, neurons] : [neurons, hidden];

    private static int[][] Neurons(ModelGrowth growth, int layer, int expert, int count)
    {
        var own = growth.Options.Own<SplitOptions>();
        var order = Enumerable.Range(0, count).ToArray();
        if (own.Partition == NeuronPartition.Random)
        {
            var random = new KeyedRandom(growth.Options.Stage.Seed, layer, $"partition/{expert}");
            for (var i = 0; i < count - 1; i++)
            {
                var j = i + random.NextIndex(count - i);
                (order[i], order[j]) = (order[j], order[i]);
            }
        }
        return [.. order.Chunk(count / own.Shards)];
    }

    private static Task RepeatAsync(ModelGrowth growth, Artifacts.Manifests.TensorEntry entry, int times, double factor, CancellationToken cancellationToken)
    {
        var values = growth.Source.ReadFloats(entry);
        var width = values.Length / growth.Source.Config.Experts;
        return growth.AddAsync(
            entry.Name, entry.DType, [entry.Shape[0] * times, .. entry.Shape.Skip(1)],
            values.Chunk(width).SelectMany(row => Enumerable.Repeat(row, times)).SelectMany(row => row)
                .Select(v => (float)(v * factor)).ToArray(), cancellationToken);
    }
}

/// <summary>Which neurons make a shard.</summary>
public enum NeuronPartition
{
    /// <summary>Neighbours.</summary>
    Contiguous,

    /// <summary>Drawn at random.</summary>
    Random,
}

/// <summary>Options of <see cref="FineGrainedSplit"/>.</summary>
[MethodOptions(typeof(UpcycleOptions), "split")]
public sealed record SplitOptions
{
    /// <summary>Shards of each expert or feed-forward, q.</summary>
    /// <value>2</value>
    [Option("Shards of each expert or dense feed-forward; a divisor of its neurons.", Min = 2, Max = 1 << 12)]
    public int Shards { get; init; } = 2;

    /// <summary>Which neurons make a shard.</summary>
    /// <value>contiguous</value>
    [Option("Which neurons make a shard.")]
    public NeuronPartition Partition { get; init; } = NeuronPartition.Contiguous;

    /// <summary>Replicas of a dense feed-forward, c.</summary>
    /// <value>1</value>
    [Option("Dense models: replicas of the feed-forward, each cut into shards.", Min = 1, Max = 1 << 12)]
    public int Copies { get; init; } = 1;

    /// <summary>Replicas that a token uses.</summary>
    /// <value>1</value>
    [Option("Dense models: replicas that a token uses at first; experts per token are this times the shards.", Min = 1, Max = 1 << 12)]
    public int Active { get; init; } = 1;

    /// <summary>Shards of a dense feed-forward that are always on.</summary>
    /// <value>0</value>
    [Option("Dense models: shards that stay always on, as a shared expert.", Min = 0, Max = 1 << 12)]
    public int Shared { get; init; }

    /// <summary>Standard deviation of a dense model's fresh router.</summary>
    /// <value>0.02</value>
    [Option("Dense models: standard deviation of the fresh router.", Min = 1e-6, Max = 10)]
    public double RouterSpread { get; init; } = 0.02;
}
