using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// Which weights are pruned, of each matrix the same share: those with the least magnitude (arXiv 1710.01878), or the neurons of each expert
/// with the least product of the norms of their row of gate, row of up and column of down, which does not change when a factor is moved from
/// one to another. Of equal ones the earlier goes first, and what was pruned stays pruned. A byte a weight.
/// </summary>
public sealed class PruningMasks : IDisposable
{
    private readonly List<(NamedParameter Parameter, Tensor Mask)> _masks = []; // true where pruned
    private readonly PrunedWeights _weights;
    private readonly PrunedUnit _unit;

    /// <summary>Begins with nothing pruned.</summary>
    /// <param name="buffer">The weights.</param>
    /// <param name="weights">Which matrices; those of experts when neurons are pruned.</param>
    /// <param name="unit">What is pruned as one.</param>
    public PruningMasks(ParameterBuffer buffer, PrunedWeights weights, PrunedUnit unit)
    {
        (_weights, _unit) = (weights, unit);
        foreach (var parameter in buffer.Parameters.Where(parameter => MatricesIn(parameter) > 0))
            _masks.Add((parameter, zeros(parameter.Value.shape, dtype: ScalarType.Bool, device: buffer.Values.device).DetachFromDisposeScope()));
    }

    /// <summary>Share of the weights that are pruned.</summary>
    public double Share
    {
        get
        {
            using var scope = NewDisposeScope();
            return _masks.Sum(entry => (double)entry.Mask.sum().item<long>()) / _masks.Sum(entry => entry.Mask.numel());
        }
    }

    /// <summary>Which numbers of a parameter are pruned, in its shape; null where it never is. It belongs to this.</summary>
    public Tensor? Of(NamedParameter parameter) => _masks.Find(entry => entry.Parameter.Name == parameter.Name).Mask;

    /// <summary>Prunes until a share of each matrix, rounded to whole numbers, is pruned.</summary>
    public void Prune(double share)
    {
        using var untracked = no_grad();
        if (_unit == PrunedUnit.Neuron)
        {
            foreach (var (gateUp, down) in _masks.Chunk(2).Select(pair => (pair[0], pair[1]))) // of a layer, in the order of the layout
                PruneNeurons(gateUp, down, share);
        }
        else
        {
            foreach (var (parameter, mask) in _masks)
                PruneWeights(parameter, mask, share);
        }
        Apply();
    }

    /// <summary>Sets the pruned weights to zero.</summary>
    public void Apply()
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        using Scalar zero = 0;
        foreach (var (parameter, mask) in _masks)
            parameter.Value.detach().masked_fill_(mask, zero);
    }

    /// <summary>Sets the gathered gradients of pruned weights to zero, so that they count neither in the norm nor in moments.</summary>
    public void ClearGradients()
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        using Scalar zero = 0;
        foreach (var (parameter, mask) in _masks)
            parameter.Value.grad?.masked_fill_(mask, zero);
    }

    /// <summary>Frees the masks.</summary>
    public void Dispose()
    {
        foreach (var (_, mask) in _masks)
            mask.Dispose();
    }

    private long MatricesIn(NamedParameter parameter) => PrunedMatrices.CountIn(parameter.Name, parameter.Value.shape, _weights);

    private void PruneWeights(NamedParameter parameter, Tensor mask, double share)
    {
        var matrices = MatricesIn(parameter);
        var count = CountOf(share, parameter.Value.numel() / matrices, 0);
        using var scope = NewDisposeScope();
        using Scalar first = -1;
        var (values, masks) = (parameter.Value.detach().view(matrices, -1), mask.view(matrices, -1));
        for (var matrix = 0L; matrix < matrices; matrix++)
        {
            using var inner = NewDisposeScope(); // the order of one matrix at a time
            var pruned = masks.select(0, matrix);
            Mark(pruned, values.select(0, matrix).to(float32).abs().masked_fill(pruned, first), count);
        }
    }

    private static void PruneNeurons((NamedParameter Parameter, Tensor Mask) gateUp, (NamedParameter Parameter, Tensor Mask) down, double share)
    {
        using var scope = NewDisposeScope();
        using Scalar first = -1;
        var (experts, width) = (down.Mask.shape[0], down.Mask.shape[2]);
        var rows = gateUp.Parameter.Value.detach().to(float32).square().sum(-1).sqrt().view(experts, 2, width);                // (E, 2, F)
        var columns = down.Parameter.Value.detach().to(float32).square().sum(1).sqrt();                                        // (E, F)
        var sizes = rows.select(1, 0) * rows.select(1, 1) * columns;                                                           // (E, F)
        var pruned = down.Mask.select(1, 0).clone();                                                                           // (E, F)
        var count = CountOf(share, width, 1);
        for (var expert = 0L; expert < experts; expert++)
            Mark(pruned.select(0, expert), sizes.select(0, expert).masked_fill(pruned.select(0, expert), first), count);
        gateUp.Mask.view(experts, 2, width, -1).copy_(pruned.unsqueeze(1).unsqueeze(-1));
        down.Mask.copy_(pruned.unsqueeze(1));
    }

    // Of so many, how many a share is; some stay in any case.
    private static long CountOf(double share, long size, long least) =>
        Math.Min((long)Math.Round(share * size, MidpointRounding.AwayFromZero), size - least);

    // Marks those with the least keys; what is marked has the least of all.
    private static void Mark(Tensor pruned, Tensor keys, long count)
    {
        if (count == 0)
            return;
        using Scalar marked = true;
        var (_, order) = keys.sort(dim: 0, descending: false, stable: true);
        pruned.index_fill_(0, order.narrow(0, 0, count), marked);
    }
}
