using Espalier.Modeling;
using Espalier.Upcycler.Growth;

namespace Espalier.Upcycler.Methods;

/// <summary>Grows a model in another way than by copying experts: experts out of dense layers, finer experts, more layers.</summary>
public interface IModelGrowth : IUpcycleMethod
{
    /// <summary>The configuration of the grown model; reads no tensor.</summary>
    /// <exception cref="Espalier.Contracts.UserInputException">The model or the options do not allow it; says what would.</exception>
    ModelConfig Configure(ModelConfig source, GrowthOptions options);

    /// <summary>Writes the grown model's tensors.</summary>
    Task WriteAsync(ModelGrowth growth, CancellationToken cancellationToken);

    /// <summary>Bytes of weights that the store does not have yet.</summary>
    long NewBytes(ModelConfig source, ModelConfig grown, GrowthOptions options, int elementBytes);
}
