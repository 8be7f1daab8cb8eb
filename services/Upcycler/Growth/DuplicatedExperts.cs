using Espalier.Artifacts.Manifests;
using Espalier.Surgery;
using Espalier.Upcycler.Duplication;
using Espalier.Upcycler.Planning;
using TorchSharp;
using Espalier.Artifacts.Checkpoints;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Growth;

/// <summary>
/// The experts of a grown layer, one matrix at a time: each is made from its source by the chain of doublings that led to
/// it, rounded to the stored element type after each, so that two doublings at once are two in a row.
/// </summary>
public sealed class DuplicatedExperts
{
    private readonly MoeCheckpoint _source;
    private readonly LayerPlan _plan;
    private readonly UpcycleOptions _options;
    private readonly IExpertDuplication _method;
    private readonly Lazy<int[]> _similar;

    /// <summary>Prepares a layer.</summary>
    /// <param name="source">The checkpoint that grows.</param>
    /// <param name="plan">Plan of the layer.</param>
    /// <param name="options">The stage's options.</param>
    public DuplicatedExperts(MoeCheckpoint source, LayerPlan plan, UpcycleOptions options)
    {
        (_source, _plan, _options) = (source, plan, options.In(plan.Layer));
        _method = ExpertDuplication.Of(_options);
        _similar = new Lazy<int[]>(() => Neighbors.BySimilarity(source.ReadFloats(source.Router(plan.Layer)), source.Config.HiddenSize));
    }

    /// <summary>Whether a new expert is its source, byte for byte.</summary>
    public bool IsExactCopy => _method is ExactCopy;

    /// <summary>The expert of the source that takes part in making a new expert beside its own source, or null.</summary>
    public int? PeerOf(int expert)
    {
        if (!_method.NeedsPeer || Find(expert) is not { } made)
            return null;
        var (experts, origin) = (_source.Config.Experts, _plan.SourceOf[expert]);
        if (_method is Interpolate)
            return (_options.Duplication?.Neighbor ?? Neighbor.Similar) == Neighbor.Similar ? _similar.Value[origin] : (origin + 1) % experts;
        var drawn = new KeyedRandom(_options.Seed, _plan.Layer, $"peer/{made.Slot}", made.Doubling).NextIndex(experts - 1);
        return drawn < origin ? drawn : drawn + 1;
    }

    /// <summary>The expert that a new expert was made from, as an index of the grown layer; itself for an expert of the source.</summary>
    public int ParentOf(int expert) => Find(expert)?.Parent ?? expert;

    /// <summary>One matrix of the grown layer, float32, as its stored element type holds it.</summary>
    public Tensor Read(int expert, string projection)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        if (Find(expert) is not { } made)
            return ReadSource(expert, projection).MoveToOuterDisposeScope();
        var peer = PeerOf(expert);
        var matrix = new ExpertMatrix(
            projection,
            Read(made.Parent, projection),
            new KeyedRandom(_options.Seed, _plan.Layer, $"duplicate/{projection}/{made.Slot}", made.Doubling),
            () => new KeyedRandom(_options.Seed, _plan.Layer, $"duplicate/{made.Slot}", made.Doubling),
            () => ReadSource(peer!.Value, projection));
        var result = _method.Duplicate(matrix, _options.Duplication ?? new DuplicationOptions());
        var entry = _source.Projection(_plan.Layer, 0, projection);
        return tensor(FloatBytes.ToFloats(entry.DType, Bytes(entry, result))).view(result.shape).MoveToOuterDisposeScope();
    }

    /// <summary>The same as bytes of the stored element type.</summary>
    public byte[] ReadBytes(int expert, string projection)
    {
        using var scope = NewDisposeScope();
        return Bytes(_source.Projection(_plan.Layer, 0, projection), Read(expert, projection));
    }

    private Tensor ReadSource(int expert, string projection)
    {
        var entry = _source.Projection(_plan.Layer, expert, projection);
        return tensor(_source.ReadFloats(entry)).view([.. entry.Shape]);
    }

    private static byte[] Bytes(TensorEntry entry, Tensor values) => FloatBytes.FromFloats(entry.DType, [.. values.contiguous().data<float>().ToArray()]);

    private (int Doubling, int Slot, int Parent)? Find(int expert)
    {
        var first = _source.Config.Experts;
        for (var doubling = 0; doubling < _plan.Doublings.Count; doubling++)
        {
            var order = _plan.Doublings[doubling].Order;
            if (expert >= first && expert < first + order.Count)
                return (doubling, expert - first, order[expert - first]);
            first += order.Count;
        }
        return null;
    }
}
