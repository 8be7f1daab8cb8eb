using Espalier.Contracts;
using Espalier.Modeling;

namespace Espalier.Upcycler.Growth;

/// <summary>The mixture-of-experts family that a dense family's weights fit into without a change.</summary>
public static class DenseFamilies
{
    /// <summary>Its name; the model's own family when it is a mixture already.</summary>
    public static string Mixture(string dense, bool isShared)
    {
        var family = ModelFamily.Of(dense);
        return (isShared ? family.MixtureWithSharedExpert : null) ?? family.Mixture ?? dense;
    }

    /// <summary>Refuses a model that has no dense feed-forward layers, or is stored packed.</summary>
    public static void RequireDense(ModelConfig source, string method)
    {
        if (source.DenseSize == 0 || source.IsMixture)
            throw new UserInputException($"method: {method} makes experts of dense feed-forward layers, and this model has experts already. "
                + "Use method copy or utility for more of them, or split for finer ones.");
        RequirePlain(source, method);
    }

    /// <summary>Refuses a model that is stored packed.</summary>
    public static void RequirePlain(ModelConfig source, string method)
    {
        if (source.Quantization is not null)
            throw new UserInputException($"method: {method} changes weights, which this model stores packed. Grow the model it was quantized from.");
    }
}
