using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Training;

/// <summary>
/// How far experts that were grown from one source have become different.
/// Co-selection rate: share of chosen (token, expert) pairs that come with a sibling on the same token.
/// Distinct sources: mean number of different groups per token. Relative distance: ||W_a - W_s|| / ||W_s|| of each
/// expert after the first of its group, over gate, up and down together, averaged.
/// </summary>
public static class SymmetryMetrics
{
    /// <summary>What is measured of a model that records siblings.</summary>
    public static readonly IReadOnlyList<string> Names = ["sibling-co-selection", "distinct-sources", DistanceName];

    /// <summary>The metric of the distance.</summary>
    public const string DistanceName = "sibling-distance";

    /// <summary>The mean relative distance alone; null when the model records no siblings.</summary>
    public static double? Distance(MoeDecoder decoder)
    {
        using var untracked = no_grad();
        return GroupsOf(decoder) is { } groups ? Distances(decoder, groups).Average() : null;
    }

    /// <summary>Measures on the first micro-batch of a step; empty when the model records no siblings.</summary>
    public static IReadOnlyDictionary<string, double> Measure(MoeDecoder decoder, TrainingData data, long step)
    {
        if (GroupsOf(decoder) is not { } groups)
            return new Dictionary<string, double>();
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var batch = data.Step(step)[0]; // (B, S + 1)
        var output = decoder.Forward(batch.narrow(1, 0, batch.shape[1] - 1).contiguous());
        var (paired, chosen, sources, routed) = (0L, 0L, 0L, 0L);
        foreach (var trace in output.Routing)
        {
            foreach (var experts in trace.SelectedByToken())
            {
                var byGroup = experts.GroupBy(expert => groups[trace.Layer][(int)expert]).ToList();
                paired += byGroup.Where(g => g.Count() > 1).Sum(g => g.Count());
                sources += byGroup.Count;
                chosen += experts.Length;
                routed++;
            }
        }
        return new Dictionary<string, double>
        {
            ["sibling-co-selection"] = (double)paired / chosen,
            ["distinct-sources"] = (double)sources / routed,
            [DistanceName] = Distances(decoder, groups).Average(),
        };
    }

    private static IReadOnlyList<IReadOnlyList<int>>? GroupsOf(MoeDecoder decoder) =>
        decoder.Config.SiblingGroups is { } groups && groups.Any(layer => layer.Distinct().Count() < layer.Count) ? groups : null;

    private static IEnumerable<double> Distances(MoeDecoder decoder, IReadOnlyList<IReadOnlyList<int>> groups)
    {
        for (var layer = 0; layer < groups.Count; layer++)
        {
            var replicas = groups[layer].Select((group, expert) => (group, expert)).GroupBy(pair => pair.group, pair => pair.expert);
            foreach (var group in replicas.Where(g => g.Count() > 1))
            {
                foreach (var expert in group.Skip(1))
                    yield return Distance(decoder.GetExpert(layer, group.First()), decoder.GetExpert(layer, expert));
            }
        }
    }

    private static double Distance(ExpertWeights source, ExpertWeights copy)
    {
        using var scope = NewDisposeScope();
        var (difference, norm) = (0.0, 0.0);
        foreach (var (a, b) in ((Tensor, Tensor)[])[(source.Gate, copy.Gate), (source.Up, copy.Up), (source.Down, copy.Down)])
        {
            difference += (b - a).square().sum().item<float>();
            norm += a.square().sum().item<float>();
        }
        foreach (var weight in (Tensor[])[source.Gate, source.Up, source.Down, copy.Gate, copy.Up, copy.Down])
            weight.Dispose();
        return Math.Sqrt(difference / norm);
    }
}
