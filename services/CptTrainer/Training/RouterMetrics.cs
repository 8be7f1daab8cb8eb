using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Training;

/// <summary>How the routers of a model lie, see <see cref="RouterGeometry"/>: means over layers, on the first micro-batch of a step.</summary>
internal static class RouterMetrics
{
    private const string Similarity = "router-similarity";
    private const string Alignment = "router-alignment";

    /// <summary>What is measured of a mixture.</summary>
    public static readonly IReadOnlyList<string> Names = [Similarity, Alignment];

    /// <summary>Measures; empty for a dense model.</summary>
    public static IReadOnlyDictionary<string, double> Measure(MoeDecoder decoder, TrainingData data, long step)
    {
        if (!decoder.Config.IsMixture)
            return new Dictionary<string, double>();
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var batch = data.Step(step)[0]; // (B, S + 1)
        var routing = decoder.Forward(batch.narrow(1, 0, batch.shape[1] - 1).contiguous()).Routing;
        return new Dictionary<string, double>
        {
            [Similarity] = routing.Average(trace => RouterGeometry.Similarity(trace.Router!)),
            [Alignment] = routing.Average(AlignmentOf),
        };
    }

    private static double AlignmentOf(RoutingTrace trace)
    {
        using var scope = NewDisposeScope();
        var (sums, counts) = RouterGeometry.SumsOf(trace);
        return RouterGeometry.Alignment(trace.Router!, sums, counts);
    }
}
