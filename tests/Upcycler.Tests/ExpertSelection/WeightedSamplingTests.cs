using Espalier.Surgery;
using Espalier.Upcycler.ExpertSelection;

namespace Espalier.Upcycler.Tests.ExpertSelection;

public sealed class WeightedSamplingTests
{
    [Fact]
    public void Select_CapOne_EveryExpertOncePerRound()
    {
        var chosen = Select([5, 1, 4, 2], 8, new UpcycleOptions { MaxCopies = 1 }, seed: 3);

        chosen.Take(4).Order().ShouldBe([0, 1, 2, 3]);
        chosen.Skip(4).Order().ShouldBe([0, 1, 2, 3]);
    }

    [Fact]
    public void Select_SameSeed_SameDraw() =>
        Select([5, 1, 4, 2], 8, new UpcycleOptions(), seed: 3).ShouldBe(Select([5, 1, 4, 2], 8, new UpcycleOptions(), seed: 3));

    [Fact]
    public void Select_TinyScores_StandardisedScoresStillMatter()
    {
        double[] gradients = [9e-6, 1e-6, 1e-6, 1e-6];

        Share(gradients, raw: false).ShouldBeGreaterThan(0.5);
        Share(gradients, raw: true).ShouldBe(0.25, 0.05);
    }

    [Fact]
    public void Select_EqualScores_IsUniform() => Share([7, 7, 7, 7], raw: false).ShouldBe(0.25, 0.05);

    [Fact]
    public void Select_NoMassLeft_ChoosesAmongTheAllowed()
    {
        var chosen = Select([1000, 0], 2, new UpcycleOptions { MaxCopies = 1, RawScores = true }, seed: 1);

        chosen.ShouldBe([0, 1]);
    }

    // Share of single draws that take expert 0.
    private static double Share(double[] scores, bool raw) =>
        Enumerable.Range(0, 2000).Count(seed => Select(scores, 1, new UpcycleOptions { RawScores = raw }, seed)[0] == 0) / 2000.0;

    private static int[] Select(double[] scores, int slots, UpcycleOptions options, long seed) =>
        new WeightedSampling().Select(scores, slots, options, new KeyedRandom(seed, 0, "selection"));
}
