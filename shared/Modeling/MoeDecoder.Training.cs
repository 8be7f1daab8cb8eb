using Espalier.Modeling.Training;
using static TorchSharp.torch;

namespace Espalier.Modeling;

/// <summary>What forward passes of a training step do beside the formulas of the model; kernels know of documents alone.</summary>
public sealed partial class MoeDecoder
{
    private TrainingPass? _pass;

    /// <summary>Begins the forward passes of a micro-batch, which end with the result's disposal.</summary>
    internal IDisposable Begin(TrainingPass? pass)
    {
        var end = new PassEnd(this, _pass);
        _pass = pass;
        return end;
    }

    private Tensor Dropped(Tensor added, string place, DecoderLayer layer, long sequences) =>
        _pass?.DropFromStream(added, place, layer.Index, sequences) ?? added;

    // Which of the T K choices of tokens are run, by expert, then token, and how many of each expert.
    private (Tensor Order, long[] Counts) Dispatch(RoutingTrace trace)
    {
        var used = trace.Used?.flatten().nonzero().squeeze(1);                               // (N) of T K; null for all
        var (order, counts) = Order(Of(trace.Selected), () => Of(trace.Gates), trace.Counts);
        return (used?.index_select(0, order) ?? order, counts);

        Tensor Of(Tensor choices) => used is null ? choices.flatten() : choices.flatten().index_select(0, used);
    }

    private (Tensor Order, long[] Counts) Order(Tensor selected, Func<Tensor> gates, IReadOnlyList<long> counts)
    {
        if (_pass?.Capacity is { } factor)
            return ExpertCapacity.Keep(selected, gates(), counts, factor);
        var (_, order) = selected.sort(stable: true);
        return (order, [.. counts]);
    }

    private sealed class PassEnd(MoeDecoder decoder, TrainingPass? before) : IDisposable
    {
        public void Dispose() => decoder._pass = before;
    }
}
