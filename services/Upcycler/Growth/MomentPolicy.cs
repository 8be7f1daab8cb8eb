using Espalier.Surgery;
using Espalier.Upcycler.Planning;
using TorchSharp;

namespace Espalier.Upcycler.Growth;

/// <summary>What becomes of the moments of one layer's new experts; see <see cref="TrainerStateGrower"/>.</summary>
internal sealed class MomentPolicy(MoeCheckpoint source, MoeCheckpoint grown, LayerPlan plan, UpcycleOptions options)
{
    private const double Halved = 0.5;      // both of the scale policy's halving and of the equal mix
    private const double NoDivisionByZero = 1e-8;

    private readonly DuplicatedExperts _experts = new(source, plan, options);
    private readonly int[] _places = plan.Places();
    private readonly Lazy<int[]> _similar = new(() => Neighbors.BySimilarity(source.ReadFloats(source.Router(plan.Layer)), source.Config.HiddenSize));

    /// <summary>The expert of the source whose moments are mixed in.</summary>
    public int NeighborOf(int expert) =>
        options.OptimizerState == OptimizerStatePolicy.Interpolate ? _similar.Value[plan.SourceOf[expert]] : plan.SourceOf[expert];

    /// <summary>Moments of one matrix of a new expert, for the policies that make new numbers.</summary>
    /// <param name="expert">Number in the order of making.</param>
    /// <param name="projection">Which matrix.</param>
    /// <param name="own">The source's moments.</param>
    /// <param name="neighbor">Reads the neighbour's.</param>
    public float[] Moments(int expert, string projection, float[] own, Func<float[]> neighbor) =>
        options.OptimizerState == OptimizerStatePolicy.Interpolate
            ? Mixed(own, neighbor())
            : Times(own, Halved * Kept(Change(expert, projection)));

    /// <summary>Moments of rows or of biases, (E) or (E, H), grown, as the grown checkpoint has them.</summary>
    public float[] Rows(float[] before)
    {
        var width = before.Length / source.Config.Experts;
        var (old, now) = (source.ReadFloats(source.Router(plan.Layer)), grown.ReadFloats(grown.Router(plan.Layer)));
        var rows = new float[plan.SourceOf.Count * width];
        for (var expert = 0; expert < plan.SourceOf.Count; expert++)
        {
            var row = Row(before, plan.SourceOf[expert]);
            var made = expert < source.Config.Experts || options.OptimizerState == OptimizerStatePolicy.Copy ? row : options.OptimizerState switch
            {
                OptimizerStatePolicy.ResetNew => new float[width],
                OptimizerStatePolicy.Interpolate => Mixed(row, Row(before, NeighborOf(expert))),
                _ => Times(row, Halved * Kept(RowChange(expert))),
            };
            made.CopyTo(rows, expert * width);
        }
        return plan.Arranged(rows);

        float[] Row(float[] values, int row) => values[(row * width)..((row + 1) * width)];

        double RowChange(int expert)
        {
            var hidden = source.Config.HiddenSize;
            return Relative(old[(plan.SourceOf[expert] * hidden)..((plan.SourceOf[expert] + 1) * hidden)],
                now[(_places[expert] * hidden)..((_places[expert] + 1) * hidden)]);
        }
    }

    /// <summary>Optimizer steps that each expert's moments have seen, in the order of the grown checkpoint.</summary>
    public long[] Steps(long[] before) => plan.Arranged<long>(
    [
        .. plan.SourceOf.Select((origin, expert) => expert < source.Config.Experts ? before[origin] : options.OptimizerState switch
        {
            OptimizerStatePolicy.ResetNew => 0,
            OptimizerStatePolicy.Interpolate => (before[origin] + before[NeighborOf(expert)]) / 2,
            _ => before[origin],
        }),
    ]);

    private double Change(int expert, string projection)
    {
        if (_experts.IsExactCopy)
            return 0;
        using var scope = torch.NewDisposeScope();
        var origin = source.ReadFloats(source.Projection(plan.Layer, plan.SourceOf[expert], projection));
        return Relative(origin, [.. _experts.Read(expert, projection).contiguous().data<float>().ToArray()]);
    }

    private static double Relative(float[] before, float[] after)
    {
        var (moved, size) = (0.0, 0.0);
        for (var i = 0; i < before.Length; i++)
            (moved, size) = (moved + Math.Abs((double)after[i] - before[i]), size + Math.Abs((double)before[i]));
        return moved / before.Length / (size / before.Length + NoDivisionByZero);
    }

    private static double Kept(double change) => Math.Clamp(1 - change, 0.1, 1);

    private static float[] Times(float[] values, double factor) => [.. values.Select(v => (float)(v * factor))];

    private static float[] Mixed(float[] a, float[] b) => [.. a.Zip(b, (x, y) => (float)(Halved * x + Halved * y))];
}
