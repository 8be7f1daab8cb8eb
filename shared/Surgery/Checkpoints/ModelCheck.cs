using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;

namespace Espalier.Surgery.Checkpoints;

/// <summary>Looks at a model's headers before anything is done with it.</summary>
public static class ModelCheck
{
    /// <summary>For <see cref="ImportOptions.Check"/>: refuses a directory whose tensors are not those that its <c>config.json</c> calls for.</summary>
    /// <param name="place">The directory, for messages.</param>
    /// <exception cref="UserInputException">Every key and tensor that is wrong, by the name that the files have for it.</exception>
    public static Action<ITensorBytes, ReadOnlyMemory<byte>> Of(string place) => (tensors, config) =>
    {
        try
        {
            MoeDecoder.Check(ModelConfig.Parse(config.Span), new StoredWeights(tensors));
        }
        catch (InvalidModelException e)
        {
            throw new UserInputException([.. e.Message.Split(Environment.NewLine).Select(line => new Problem(place, 0, 0, line))]);
        }
    };
}
