using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Surgery;
using Espalier.Surgery.Checkpoints;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Merging;

/// <summary>
/// Which expert of a model is which expert of another. Experts of models with one ancestor have one order; the mean of two experts that have
/// nothing to do with each other is nobody's.
/// </summary>
internal static class ExpertMatching
{
    private const double MostStrangers = 0.1; // share of a layer's experts that look more like another one
    private const double Alike = 1e-3;        // copies that have not parted yet

    /// <summary>For each layer, the expert of <paramref name="model"/> that stands for each of <paramref name="reference"/>; null for the same order.</summary>
    /// <exception cref="UserInputException">They are not to be paired, and are not in one order.</exception>
    public static IReadOnlyDictionary<int, int[]?> Find(MoeCheckpoint reference, MoeCheckpoint model, string name, bool pairs)
    {
        var orders = new Dictionary<int, int[]?>();
        foreach (var layer in reference.Config.SparseLayers)
        {
            using var scope = NewDisposeScope();
            var likeness = Likeness(reference, model, layer, pairs);
            var experts = reference.Config.Experts;
            if (pairs)
            {
                var order = Assignment.Solve(likeness);
                orders[layer] = order.SequenceEqual(Enumerable.Range(0, experts)) ? null : order;
                continue;
            }
            orders[layer] = null;
            var strangers = Enumerable.Range(0, experts)
                .Count(e => Enumerable.Range(0, experts).Max(other => likeness[e, other]) > likeness[e, e] + Alike);
            if (strangers > MostStrangers * experts)
            {
                throw new UserInputException(
                    $"merge: {strangers} of {experts} experts of layer {layer} of '{name}' look more like another expert of the first model than like the "
                    + "one of their number: the models do not come from one, or their experts were reordered. "
                    + "Add match-experts: true to pair them by likeness.");
            }
        }
        return orders;
    }

    // Cosine of router rows, and for pairing of gate projections too: (E, E).
    private static double[,] Likeness(MoeCheckpoint reference, MoeCheckpoint model, int layer, bool all)
    {
        var (ours, theirs) = (new StoredWeights(reference.Reader), new StoredWeights(model.Reader));
        var likeness = Cosines(ours.Read(TensorNames.Router(layer)), theirs.Read(TensorNames.Router(layer)));
        if (all)
            likeness = likeness + Cosines(Gates(ours), Gates(theirs));
        var experts = reference.Config.Experts;
        var values = likeness.to(float64).data<double>().ToArray();
        var table = new double[experts, experts];
        for (var i = 0; i < values.Length; i++)
            table[i / experts, i % experts] = values[i];
        return table;

        Tensor Gates(StoredWeights weights) =>
            stack([.. Enumerable.Range(0, reference.Config.Experts).Select(e => weights.Read(TensorNames.Expert(layer, e, "gate")).to(float32).reshape(-1))]);
    }

    private static Tensor Cosines(Tensor a, Tensor b) => Unit(a.to(float32)).matmul(Unit(b.to(float32)).t());

    private static Tensor Unit(Tensor rows) => rows / rows.norm(1, keepdim: true).clamp_min(1e-20);
}
