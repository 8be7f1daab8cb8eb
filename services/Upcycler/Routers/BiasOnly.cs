using Espalier.Surgery;
using Espalier.Upcycler.Planning;

namespace Espalier.Upcycler.Routers;

/// <summary>
/// Rows copied; b'_j = b[s_j] + eps + shift, eps uniform in [-delta, delta], delta 1e-3 and absolute, as the paper has it
/// (arXiv 2604.19835). The published code scales the noise by the spread of the bias, which is nothing for a missing or
/// zero bias and NaN for one slot; here a router without bias gets one of zeros first. Source biases are not touched: the
/// published <c>noise_to_original</c>, which only rescales them, is not offered.
/// </summary>
public sealed class BiasOnly : IRouterExtension
{
    /// <inheritdoc/>
    public string Name => "bias-only";

    /// <inheritdoc/>
    public string Summary => "Rows of the sources; uniform noise on the logit bias of new experts (arXiv 2604.19835).";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Distinct;

    /// <inheritdoc/>
    public double DefaultNoise => 1e-3;

    /// <inheritdoc/>
    public bool AddsBias => true;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => ["noise", "shift"];

    /// <inheritdoc/>
    public RouterWeights Extend(RouterWeights router, IReadOnlyList<int> order, RouterOptions options, KeyedRandom random)
    {
        var extended = (router with { Bias = router.Bias ?? new float[router.Experts] }).Append(order);
        for (var expert = router.Experts; expert < extended.Experts; expert++)
            extended.Bias![expert] = (float)(extended.Bias[expert] + random.NextSymmetric(options.Noise ?? DefaultNoise) + (options.Shift ?? 0));
        return extended;
    }
}
