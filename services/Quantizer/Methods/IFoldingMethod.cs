using Espalier.Quantizer.Folding;
using Espalier.Quantizer.Grids;
using Espalier.Stages;

namespace Espalier.Quantizer.Methods;

/// <summary>A method that scales the inputs of fused groups before it chooses codes, see <see cref="FoldGroup"/>.</summary>
internal interface IFoldingMethod : IQuantizationMethod
{
    /// <summary>Chooses the scales of a group from the layer as it is. Called under <c>no_grad</c>.</summary>
    FoundScales FindScales(FoldedInput input, QuantizationScheme scheme, StageContext context);
}
