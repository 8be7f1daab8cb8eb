using Espalier.Evaluator.Routing;

namespace Espalier.Evaluator.Tests.Routing;

public sealed class RoutingMetricsTests
{
    private static readonly double[] Example = [10, 20, 30, 40];

    [Fact]
    public void Load_HandbookExample_GivesItsNumbers()
    {
        RoutingMetrics.CoefficientOfVariation(Example).ShouldBe(0.4472, 5e-5);
        RoutingMetrics.Entropy(Example).ShouldBe(1.2799, 5e-5);
        RoutingMetrics.MaxViolation(Example).ShouldBe(0.6, 1e-12);
    }

    [Fact]
    public void Specialisation_DisjointExperts_IsLnTwo() => RoutingMetrics.Specialisation([[5, 5, 0, 0], [0, 0, 3, 7]]).ShouldBe(Math.Log(2), 1e-12);

    [Fact]
    public void Specialisation_EqualProfiles_IsZero() => RoutingMetrics.Specialisation([[1, 2, 3], [10, 20, 30]]).ShouldBe(0, 1e-12);

    [Fact]
    public void SpecialisationByChance_NoStructure_AccountsForWhatIsMeasured()
    {
        var random = new Surgery.KeyedRandom(3, 0, "windows");
        var windows = Enumerable.Range(0, 60).Select(_ => Enumerable.Range(0, 8).Select(_ => (long)random.NextIndex(20)).ToArray()).ToList();
        var domains = Enumerable.Range(0, 60).Select(w => w % 3).ToList();
        var raw = RoutingMetrics.Specialisation(RoutingMetrics.ByDomain(windows, domains, 3));

        var chance = RoutingMetrics.SpecialisationByChance(windows, domains, 3, seed: 1, layer: 0);

        raw.ShouldBeGreaterThan(0);
        (raw - chance).ShouldBeInRange(-0.5 * raw, 0.5 * raw);
    }

    [Fact]
    public void Normalize_CoActivation_HasOnesOnTheDiagonalOfLivingExperts() =>
        RoutingMetrics.Normalize([[4, 2, 0], [2, 9, 0], [0, 0, 0]]).ShouldBe([[1, 2 / 6.0, 0], [2 / 6.0, 1, 0], [0, 0, 0]]);
}
