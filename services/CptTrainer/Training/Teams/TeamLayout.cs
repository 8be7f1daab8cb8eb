using Espalier.Modeling;
using Espalier.Modeling.Training;

namespace Espalier.CptTrainer.Training.Teams;

/// <summary>A part of the parameter buffer that is exchanged as one.</summary>
/// <param name="Name">The parameter's name; of one expert's part of a stack, with the expert's number behind it.</param>
/// <param name="Range">Where it lies.</param>
/// <param name="Layer">Layer of the expert.</param>
/// <param name="Expert">The expert, or null for what every member trains.</param>
internal sealed record TeamPiece(string Name, BufferRange Range, int Layer = 0, int? Expert = null);

/// <summary>The weights of a model as a team sees them: the dense part, which every member trains, and experts, each trained by one of them.</summary>
internal sealed class TeamLayout
{
    public TeamLayout(MoeDecoder decoder)
    {
        var layers = decoder.Config.SparseLayers.SelectMany(layer => new[] { TensorNames.ExpertsGateUp(layer), TensorNames.ExpertsDown(layer) }
            .Select(name => KeyValuePair.Create(name, layer))).ToDictionary();
        Pieces = [.. decoder.Parameters.SelectMany(parameter => layers.TryGetValue(parameter.Name, out var layer)
            ? Cut(parameter, layer, decoder.Config.Experts) : [new TeamPiece(parameter.Name, parameter.Range)])];
    }

    /// <summary>All weights.</summary>
    public IReadOnlyList<TeamPiece> Pieces { get; }

    /// <summary>What a member trains.</summary>
    public IEnumerable<TeamPiece> TrainedBy(int member, ExpertShares shares) =>
        Pieces.Where(piece => piece.Expert is not { } expert || shares.OwnerOf(piece.Layer, expert) == member);

    /// <summary>Where that lies in the buffer, ascending.</summary>
    public IReadOnlyList<BufferRange> RangesOf(int member, ExpertShares shares) => Ascending(TrainedBy(member, shares));

    /// <summary>Where the experts of the others lie, ascending.</summary>
    public IReadOnlyList<BufferRange> OthersOf(int member, ExpertShares shares) => Ascending(Pieces.Except(TrainedBy(member, shares)));

    private static IReadOnlyList<BufferRange> Ascending(IEnumerable<TeamPiece> pieces) =>
        [.. pieces.Select(piece => piece.Range).OrderBy(range => range.First)];

    private static IEnumerable<TeamPiece> Cut(NamedParameter stack, int layer, int experts)
    {
        var size = stack.Range.Length / experts;
        return Enumerable.Range(0, experts).Select(expert =>
            new TeamPiece($"{stack.Name}.{expert}", new BufferRange(stack.Range.First + expert * size, size), layer, expert));
    }
}
