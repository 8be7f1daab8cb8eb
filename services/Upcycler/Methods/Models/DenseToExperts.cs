using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Surgery;
using Espalier.Upcycler.Duplication;
using Espalier.Upcycler.Growth;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Methods.Models;

/// <summary>What sparse upcycling, drop-upcycling and MoTE have in common: every expert is made of the layer's dense feed-forward.</summary>
internal static class DenseToExperts
{
    public static ModelConfig Configure(ModelConfig source, GrowthOptions options, string method, bool isShared)
    {
        DenseFamilies.RequireDense(source, method);
        var own = options.Own<SparseOptions>();
        if (own.TopK > own.Experts)
            throw new UserInputException($"top-k: {own.TopK} experts per token of {own.Experts}. Use at most {own.Experts}.");
        var layers = own.Layers ?? [.. Enumerable.Range(0, source.Layers)];
        if (layers.FirstOrDefault(layer => layer >= source.Layers, -1) is >= 0 and var beyond)
            throw new UserInputException($"layers: there is no layer {beyond}; the model has {source.Layers}, from 0.");
        if (layers.Count == 0)
            throw new UserInputException("layers: names no layer, so nothing grows. Leave it out for all layers.");
        return source with
        {
            Family = DenseFamilies.Mixture(source.Family, isShared),
            Experts = own.Experts,
            ExpertsPerToken = own.TopK,
            ExpertSize = source.DenseSize,
            NormalizeTopK = own.NormalizeTopK,
            ScoreFunction = ScoreFunction.Softmax,
            DenseLayers = [.. Enumerable.Range(0, source.Layers).Except(layers)],
            SharedSize = isShared ? source.DenseSize : 0,
            SharedGate = false,
        };
    }

    /// <summary>Writes the model.</summary>
    /// <param name="growth">Source and target.</param>
    /// <param name="duplication">How each expert differs from the feed-forward.</param>
    /// <param name="settings">Its settings.</param>
    /// <param name="startsAtZero">Whether the experts' output starts at zero.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    public static async Task WriteAsync(
        ModelGrowth growth, IExpertDuplication duplication, DuplicationOptions settings, bool startsAtZero, CancellationToken cancellationToken)
    {
        var own = growth.Options.Own<SparseOptions>();
        var taken = growth.Grown.SparseLayers.SelectMany(layer => ModelGrowth.Projections.Select(p => TensorNames.DenseMlp(layer, p))).ToHashSet();
        foreach (var tensor in growth.Source.Others.Where(t => !taken.Contains(t.Name)))
            growth.Keep(tensor);
        foreach (var layer in growth.Grown.SparseLayers)
        {
            await growth.AddRouterAsync(layer, [.. Enumerable.Range(0, own.Experts)], own.RouterSpread,
                ModelGrowth.Dense(growth.Source, layer, "gate").DType, cancellationToken).ConfigureAwait(false);
            foreach (var projection in ModelGrowth.Projections)
            {
                var dense = ModelGrowth.Dense(growth.Source, layer, projection);
                if (growth.Grown.SharedSize > 0)
                    growth.Keep(dense, TensorNames.SharedExpert(layer, projection));
                for (var expert = 0; expert < own.Experts; expert++)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    var name = TensorNames.Expert(layer, expert, projection);
                    if (startsAtZero && projection == "down")
                        await growth.AddZerosAsync(name, dense, cancellationToken).ConfigureAwait(false);
                    else if (duplication is ExactCopy)
                        growth.Keep(dense, name);
                    else
                        await growth.AddAsync(name, dense.DType, dense.Shape, Make(growth, duplication, settings, layer, expert, projection),
                            cancellationToken).ConfigureAwait(false);
                }
            }
            for (var expert = 0; expert < own.Experts; expert++)
                growth.Origin(layer, expert, growth.Source, layer, 0);
        }
    }

    private static float[] Make(ModelGrowth growth, IExpertDuplication duplication, DuplicationOptions settings, int layer, int expert, string projection)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var dense = ModelGrowth.Dense(growth.Source, layer, projection);
        var seed = growth.Options.Stage.Seed;
        var matrix = new ExpertMatrix(
            projection, tensor(growth.Source.ReadFloats(dense)).view([.. dense.Shape]),
            new KeyedRandom(seed, layer, $"duplicate/{projection}/{expert}"),
            () => new KeyedRandom(seed, layer, $"duplicate/{expert}"),
            () => throw new InvalidOperationException("Experts of one feed-forward have no other expert to be mixed with."));
        return [.. duplication.Duplicate(matrix, settings).contiguous().data<float>().ToArray()];
    }
}
