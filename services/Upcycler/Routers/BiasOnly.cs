using Espalier.Pipelines.Options;
using Espalier.Stages.Surgery;

namespace Espalier.Upcycler.Routers;

/// <summary>
/// Rows copied; b'_j = b[s_j] + eps, eps uniform in [-delta, delta], delta 1e-3 and absolute, as the paper has it
/// (arXiv 2604.19835). The published code scales the noise by the spread of the bias, which is nothing for a missing or
/// zero bias; here a router without bias gets one of zeros first. Source biases are not touched.
/// </summary>
[MethodOptions(typeof(RouterOptions), "bias-only")]
public sealed class BiasOnly : IRouterExtension
{
    /// <inheritdoc/>
    public string Name => "bias-only";

    /// <inheritdoc/>
    public string Summary => "Rows of the sources; uniform noise on the logit bias of new experts (arXiv 2604.19835).";

    /// <inheritdoc/>
    public bool BreaksTies => true;

    /// <inheritdoc/>
    public double DefaultNoise => 1e-3;

    /// <inheritdoc/>
    public RouterWeights Extend(RouterWeights router, IReadOnlyList<int> order, double noise, KeyedRandom random)
    {
        var extended = (router with { Bias = router.Bias ?? new float[router.Experts] }).Append(order);
        for (var expert = router.Experts; expert < extended.Experts; expert++)
            extended.Bias![expert] = (float)(extended.Bias[expert] + random.NextSymmetric(noise));
        return extended;
    }
}
