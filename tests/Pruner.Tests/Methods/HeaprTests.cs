using System.Text.Json;
using Espalier.Pruner.Calibration;
using Espalier.Pruner.Methods;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Tests.Methods;

public sealed class HeaprTests
{
    // Two tokens, two neurons, width two: computed by hand.
    private static readonly float[,] Hidden = { { 0.5f, -2 }, { 1, 0.25f } };
    private static readonly float[,] Down = { { 1, 0.5f }, { 2, 0 } }; // columns (1, 2) and (0.5, 0)
    private static readonly float[,] Gradient = { { 1, 0 }, { 0.5f, -1 } };

    [Theory]
    [InlineData("""{"variant":"factorised"}""", 1.015625, 0.3173828125)]
    [InlineData("""{"variant":"exact"}""", 1.25, 0.501953125)]
    [InlineData("""{"variant":"exact","weighting":"total"}""", 2.5, 1.00390625)]
    [InlineData("""{"weighting":"total"}""", 2.03125, 0.634765625)]
    public void Score_TwoTokens_EqualsGoldenVector(string options, double first, double second)
    {
        var sums = Observe(Hidden, Down, Gradient);

        var scores = new Heapr().Score(sums, new ScoreRequest(0, Granularity.Neuron, 0, JsonDocument.Parse(options).RootElement));

        scores.ShouldBe([first, second]);
    }

    [Fact]
    public void Observe_TwoTokens_SumsTheMaskGradient() =>
        Observe(Hidden, Down, Gradient).Sum(Heapr.Products, 0, 2).ShouldBe([-1, -0.9375]);

    [Fact]
    public void Score_Factorised_EqualsTheCovarianceForm()
    {
        using var scope = NewDisposeScope();
        var generator = new Generator(3);
        var (h, d, u) = (randn(50, 7, dtype: float64, generator: generator), randn(5, 7, dtype: float64, generator: generator),
            randn(50, 5, dtype: float64, generator: generator));
        var sums = new LayerSums(1, 7);
        sums.Tokens[0] = 50;
        new Heapr().Observe(new ExpertObservation(0, arange(50), ones(50), h, h, d, u), sums);

        var scores = new Heapr().Score(sums, new ScoreRequest(0, Granularity.Neuron, 0, default));

        var covariance = u.transpose(0, 1).matmul(u) / 50;                                        // M, as published
        var expected = h.square().mean([0]) * (d.transpose(0, 1).matmul(covariance) * d.transpose(0, 1)).sum(1);
        for (var j = 0; j < 7; j++)
            scores[j].ShouldBe(expected[j].item<double>(), 1e-5 * Math.Abs(scores[j]));
    }

    [Fact]
    public void Score_UnroutedExpert_IsMinusOne()
    {
        var scores = new Heapr().Score(new LayerSums(2, 3), new ScoreRequest(0, Granularity.Neuron, 0, default));

        scores.ShouldBe([-1, -1, -1, -1, -1, -1]);
    }

    private static LayerSums Observe(float[,] hidden, float[,] down, float[,] gradient)
    {
        using var scope = NewDisposeScope();
        var sums = new LayerSums(1, 2);
        sums.Tokens[0] = 2;
        new Heapr().Observe(new ExpertObservation(0, arange(2), ones(2), tensor(hidden), tensor(hidden), tensor(down), tensor(gradient)), sums);
        return sums;
    }
}
