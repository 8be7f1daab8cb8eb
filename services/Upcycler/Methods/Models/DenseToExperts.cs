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
        if (own.Family is { } family && (ModelFamily.Find(family) is not { } known || known.IsDense || known.IsLatent))
            throw new UserInputException($"family: '{family}' is not a mixture that a dense model can become. Use one of "
                + $"{string.Join(", ", ModelFamily.All.Where(f => f is { IsDense: false, IsLatent: false }).Select(f => f.Name))}, or leave it out.");
        if (layers.Count == 0)
            throw new UserInputException("layers: names no layer, so nothing grows. Leave it out for all layers.");
        var grown = source with
        {
            Family = own.Family ?? DenseFamilies.Mixture(source.Family, isShared),
            Experts = own.Experts,
            ExpertsPerToken = own.TopK,
            ExpertSize = source.DenseSize,
            NormalizeTopK = own.NormalizeTopK,
            ScoreFunction = ScoreFunction.Softmax,
            DenseLayers = [.. Enumerable.Range(0, source.Layers).Except(layers)],
        };
        return SharedExperts.In(grown, isShared ? source.DenseSize : 0);
    }

    /// <summary>Writes the model.</summary>
    /// <param name="growth">Source and target.</param>
    /// <param name="duplication">How each expert differs from the feed-forward.</param>
    /// <param name="settings">Its settings.</param>
    /// <param name="isShared">Whether the feed-forward stays as a shared expert, and the experts' output starts at zero.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    public static async Task WriteAsync(
        ModelGrowth growth, IExpertDuplication duplication, DuplicationOptions settings, bool isShared, CancellationToken cancellationToken)
    {
        var own = growth.Options.Own<SparseOptions>();
        var taken = growth.Grown.SparseLayers.SelectMany(layer => ModelGrowth.Projections.Select(p => TensorNames.DenseMlp(layer, p))).ToHashSet();
        foreach (var tensor in growth.Source.Others.Where(t => !taken.Contains(t.Name)))
            growth.Keep(tensor);
        foreach (var layer in growth.Grown.SparseLayers)
        {
            await growth.AddRouterAsync(layer, [.. Enumerable.Range(0, own.Experts)], own.RouterSpread,
                ModelGrowth.Dense(growth.Source, layer, "gate").DType, cancellationToken).ConfigureAwait(false);
            await AddSharedAsync(growth, layer, isShared, cancellationToken).ConfigureAwait(false);
            foreach (var projection in ModelGrowth.Projections)
            {
                var dense = ModelGrowth.Dense(growth.Source, layer, projection);
                for (var expert = 0; expert < own.Experts; expert++)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    var name = TensorNames.Expert(layer, expert, projection);
                    if (isShared && projection == "down")
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

    private static async Task AddSharedAsync(ModelGrowth growth, int layer, bool isShared, CancellationToken cancellationToken)
    {
        var dtype = ModelGrowth.Dense(growth.Source, layer, "gate").DType;
        if (!isShared)
        {
            await SharedExperts.AddStandInAsync(growth, layer, dtype, cancellationToken).ConfigureAwait(false);
            return;
        }
        var factor = SharedExperts.DownFactor(growth.Grown);
        foreach (var projection in ModelGrowth.Projections)
        {
            var (dense, name) = (ModelGrowth.Dense(growth.Source, layer, projection), TensorNames.SharedExpert(layer, projection));
            if (projection == "down" && factor != 1)
                await growth.AddAsync(name, dense.DType, dense.Shape, growth.Source.ReadFloats(dense).Select(v => (float)(v * factor)).ToArray(),
                    cancellationToken).ConfigureAwait(false);
            else
                growth.Keep(dense, name);
        }
        await SharedExperts.AddGateAsync(growth, layer, dtype, cancellationToken).ConfigureAwait(false);
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
