using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Modeling;
using Espalier.Modeling.Training;

namespace Espalier.CptTrainer.Training;

/// <summary>The parts of a model that a run does not train.</summary>
internal static class FrozenParts
{
    /// <summary>Their places in the parameter buffer.</summary>
    /// <exception cref="UserInputException">Nothing would be left to train.</exception>
    public static IReadOnlyList<BufferRange> Of(MoeDecoder decoder, TrainedPart part)
    {
        var frozen = decoder.Parameters.Where(parameter => !IsTrained(parameter.Name, part)).ToList();
        if (frozen.Count == decoder.Parameters.Count)
            throw new UserInputException("only: routers leaves nothing to train, since this model has none. Use feed-forward or all.");
        return [.. frozen.Select(parameter => new BufferRange(parameter.Value.storage_offset(), parameter.Value.numel())).OrderBy(range => range.First)];
    }

    private static bool IsTrained(string name, TrainedPart part) => part switch
    {
        TrainedPart.Routers => name.Contains(".mlp.gate.", StringComparison.Ordinal),
        TrainedPart.FeedForward => name.Contains(".mlp.", StringComparison.Ordinal) && !name.Contains(".mlp.gate.", StringComparison.Ordinal),
        _ => true,
    };
}
