using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling;

/// <summary>Sibling groups of one layer as index tensors. Groups keep the order of their first member.</summary>
internal sealed class SiblingTable : IDisposable
{
    private readonly Tensor _members; // (G * R): members of each group, the first repeated up to the largest size R
    private readonly Tensor _sizes;   // (G)
    private readonly long _groups;
    private readonly long _width;

    public SiblingTable(IReadOnlyList<int> groupOf, Device device)
    {
        var groups = groupOf.Select((group, expert) => (group, expert)).GroupBy(pair => pair.group, pair => (long)pair.expert)
            .Select(g => g.ToArray()).OrderBy(members => members[0]).ToList();
        _groups = groups.Count;
        _width = groups.Max(members => members.Length);
        var table = groups.SelectMany(members => members.Concat(Enumerable.Repeat(members[0], (int)_width - members.Length))).ToArray();
        _members = tensor(table, device: device).DetachFromDisposeScope();
        _sizes = tensor(groups.Select(members => (long)members.Length).ToArray(), device: device).DetachFromDisposeScope();
    }

    /// <summary>Number of groups, G.</summary>
    public long Count => _groups;

    /// <summary>Size of the largest group, R.</summary>
    public long Width => _width;

    /// <summary>(G R) members of each group, the first repeated up to R.</summary>
    public Tensor Members => _members;

    /// <summary>(G) sizes.</summary>
    public Tensor Sizes => _sizes;

    /// <summary>(T, E) to (T, G): the largest value among each group's members.</summary>
    public Tensor LargestMember(Tensor perExpert) =>
        perExpert.index_select(-1, _members).view(perExpert.shape[0], _groups, _width).amax([-1]);

    /// <summary>Member number <paramref name="turn"/> (T, 1), modulo the group's size, of each chosen group (T, K): expert indices (T, K).</summary>
    public Tensor Member(Tensor chosen, Tensor turn)
    {
        var size = _sizes.index_select(0, chosen.flatten()).view(chosen.shape);
        var place = chosen * _width + turn.remainder(size);
        return _members.index_select(0, place.flatten()).view(chosen.shape);
    }

    public void Dispose()
    {
        _members.Dispose();
        _sizes.Dispose();
    }
}
