using System.Text.Json;
using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Modeling;
using Espalier.Modeling.Training;

namespace Espalier.CptTrainer.Training;

/// <summary>Where groups of weights lie in the parameter buffer.</summary>
internal static class WeightGroups
{
    /// <summary>What a run does not train by gradients.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="trained">Groups that are trained.</param>
    /// <param name="withoutRouters">Whether routers are trained otherwise.</param>
    /// <exception cref="UserInputException">A group has no weights in this model.</exception>
    public static IReadOnlyList<BufferRange> Frozen(MoeDecoder decoder, IReadOnlyList<WeightGroup> trained, bool withoutRouters = false)
    {
        foreach (var group in trained)
            Check(decoder, group, "only");
        var frozen = new List<BufferRange>();
        foreach (var range in Pieces(decoder).Where(IsFrozen).Select(piece => piece.Range).OrderBy(range => range.First))
        {
            if (frozen.Count > 0 && frozen[^1].First + frozen[^1].Length == range.First)
                frozen[^1] = frozen[^1] with { Length = frozen[^1].Length + range.Length };
            else
                frozen.Add(range);
        }
        return frozen;

        bool IsFrozen(Piece piece) => !trained.Any(piece.IsIn) || withoutRouters && piece.IsIn(WeightGroup.Routers);
    }

    /// <summary>Learning rates that differ.</summary>
    /// <exception cref="UserInputException">A group has no weights in this model.</exception>
    public static IReadOnlyList<RatedRange> Rates(MoeDecoder decoder, GroupRates? rates)
    {
        if (rates is null)
            return [];
        foreach (var group in Enum.GetValues<WeightGroup>().Where(group => rates.Of(group) is not null))
            Check(decoder, group, "rates");
        return
        [
            .. from piece in Pieces(decoder)
               let factor = piece.Groups.Select(rates.Of).FirstOrDefault(factor => factor is not null) ?? 1
               where factor != 1
               orderby piece.Range.First
               select new RatedRange(piece.Range.First, piece.Range.Length, factor),
        ];
    }

    /// <summary>Refuses groups that a model of this shape cannot have.</summary>
    /// <exception cref="UserInputException">It has no experts.</exception>
    public static void Check(ModelConfig config, TrainOptions options)
    {
        if (config.IsMixture)
            return;
        foreach (var group in (WeightGroup[])[WeightGroup.Routers, WeightGroup.Experts, WeightGroup.NewExperts])
        {
            if (options.Only.Contains(group))
                throw Nothing(group, "only");
            if (options.Rates?.Of(group) is not null)
                throw Nothing(group, "rates");
        }
    }

    private static void Check(MoeDecoder decoder, WeightGroup group, string option)
    {
        if (!Pieces(decoder).Any(piece => piece.IsIn(group)))
            throw Nothing(group, option);
    }

    private static UserInputException Nothing(WeightGroup group, string option) => new(
        $"{option}: '{JsonNamingPolicy.KebabCaseLower.ConvertName(group.ToString())}' names nothing to train, since this model has none. "
        + (group == WeightGroup.NewExperts ? "Growth by copies marks the experts that it adds: train its result, or name another group."
            : "Name another group."));

    // Parameters, those of experts cut where new ones stand beside others.
    private static IEnumerable<Piece> Pieces(MoeDecoder decoder)
    {
        var newExperts = Enumerable.Range(0, decoder.Config.Layers).Select(layer => IsNew(decoder.Config, layer)).ToList();
        foreach (var parameter in decoder.Parameters)
        {
            var groups = GroupsOf(parameter.Name);
            if (!WeightKinds.IsExpert(parameter.Name))
            {
                yield return new Piece(parameter.Range, groups);
                continue;
            }
            var isNew = newExperts[LayerOf(parameter.Name)];
            var size = parameter.Range.Length / isNew.Length;
            for (int expert = 0, next; expert < isNew.Length; expert = next)
            {
                next = expert + 1;
                while (next < isNew.Length && isNew[next] == isNew[expert])
                    next++;
                var range = new BufferRange(parameter.Range.First + expert * size, (next - expert) * size);
                yield return new Piece(range, isNew[expert] ? [WeightGroup.NewExperts, .. groups] : groups);
            }
        }
    }

    private static bool[] IsNew(ModelConfig config, int layer) => config.SiblingGroups is { } groups
        ? [.. groups[layer].Select((group, expert) => groups[layer].Take(expert).Contains(group))]
        : new bool[config.Experts];

    private static int LayerOf(string name) => int.Parse(name.Split('.')[2], System.Globalization.CultureInfo.InvariantCulture); // model.layers.N.

    // The narrowest first.
    private static WeightGroup[] GroupsOf(string name) => name switch
    {
        _ when WeightKinds.IsRouter(name) => [WeightGroup.Routers],
        _ when WeightKinds.IsEmbedding(name) => [WeightGroup.Embeddings],
        _ when WeightKinds.IsExpert(name) => [WeightGroup.Experts, WeightGroup.FeedForward],
        _ when WeightKinds.IsNorm(name) && WeightKinds.IsAttention(name) => [WeightGroup.Norms, WeightGroup.Attention, WeightGroup.Dense],
        _ when WeightKinds.IsNorm(name) => [WeightGroup.Norms, WeightGroup.Dense],
        _ when WeightKinds.IsAttention(name) => [WeightGroup.Attention, WeightGroup.Dense],
        _ => [WeightGroup.FeedForward, WeightGroup.Dense],
    };

    private sealed record Piece(BufferRange Range, IReadOnlyList<WeightGroup> Groups)
    {
        public bool IsIn(WeightGroup group) => group == WeightGroup.All || Groups.Contains(group);
    }
}
