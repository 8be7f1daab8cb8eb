using Espalier.Modeling;

namespace Espalier.CptTrainer.Training.Teams;

/// <summary>
/// Which member trains which experts. They are dealt greedily, the most used first, each to the member with the least work that still has
/// room in its layer: E / N experts of a layer, rounded up. Dealt again only where one member has far more work than the mean (1.3 times, as
/// in arXiv 2601.17111) and that makes it better, since an expert's moments move with it.
/// </summary>
/// <param name="Members">How many members there are.</param>
/// <param name="Owners">By layer and expert, the member, from 1; none in layers without experts.</param>
internal sealed record ExpertShares(int Members, IReadOnlyList<IReadOnlyList<int>> Owners)
{
    private const double MostUneven = 1.3;
    private const double LeastGain = 0.9;

    /// <summary>The shares at the start, when all experts count alike.</summary>
    public static ExpertShares Even(ModelConfig config, int members) => Deal(
        members, [.. Enumerable.Range(0, config.Layers).Select(layer => Enumerable.Repeat(1L, config.IsSparse(layer) ? config.Experts : 0).ToArray())]);

    /// <summary>The member that trains an expert.</summary>
    public int OwnerOf(int layer, int expert) => Owners[layer][expert];

    /// <summary>The shares from now on.</summary>
    /// <param name="routed">By layer and expert, tokens so far.</param>
    public ExpertShares Next(IReadOnlyList<IReadOnlyList<long>> routed)
    {
        if (Unevenness(routed) is var now && now <= MostUneven)
            return this;
        var dealt = Deal(Members, routed);
        return dealt.Unevenness(routed) < now * LeastGain ? dealt : this;
    }

    /// <summary>Whether both give every expert to the same member.</summary>
    public bool IsLike(ExpertShares other) => Owners.Zip(other.Owners, (mine, theirs) => mine.SequenceEqual(theirs)).All(same => same);

    /// <summary>The largest part of the work that a member has, as a multiple of the mean.</summary>
    private double Unevenness(IReadOnlyList<IReadOnlyList<long>> routed)
    {
        var work = new long[Members];
        for (var layer = 0; layer < routed.Count; layer++)
            for (var expert = 0; expert < routed[layer].Count; expert++)
                work[OwnerOf(layer, expert) - 1] += routed[layer][expert];
        return work.Sum() == 0 ? 1 : work.Max() / work.Average();
    }

    private static ExpertShares Deal(int members, IReadOnlyList<IReadOnlyList<long>> routed)
    {
        var owners = routed.Select(layer => new int[layer.Count]).ToArray();
        var (work, held) = (new long[members], routed.Select(_ => new int[members]).ToArray());
        var experts = from layer in Enumerable.Range(0, routed.Count)
                      from expert in Enumerable.Range(0, routed[layer].Count)
                      orderby routed[layer][expert] descending, layer, expert
                      select (layer, expert);
        foreach (var (layer, expert) in experts)
        {
            var room = (routed[layer].Count + members - 1) / members;
            var member = Enumerable.Range(0, members).Where(m => held[layer][m] < room).MinBy(m => work[m]);
            owners[layer][expert] = member + 1;
            work[member] += routed[layer][expert];
            held[layer][member]++;
        }
        return new ExpertShares(members, owners);
    }
}
