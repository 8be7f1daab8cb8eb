using Espalier.Pruner.Methods;
using Espalier.TestKit.Models;

namespace Espalier.Pruner.Tests.Methods;

public sealed class CameraPTests
{
    private const string Calibration = "\"calibration\":{\"data\":\"file:words\",\"samples\":8,\"length\":32,\"batch\":4}";

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(0.9)]
    public async Task Score_RandomLayer_EqualsThePlainTwin(double peak)
    {
        var (scores, plain) = await RunAsync($"{{\"peak\":{peak.ToString(System.Globalization.CultureInfo.InvariantCulture)}}}");

        for (var unit = 0; unit < scores.Length; unit++)
        {
            var (expert, neuron) = (unit / 24, unit % 24);
            var squares = Contributions(plain, expert, neuron).Select(phi => phi * phi).ToList();
            var expected = plain.Down[expert].Sum(row => row[neuron] * row[neuron]) * ((1 - peak) * squares.Sum() + peak * squares.Max());
            scores[unit].ShouldBe(expected, 1e-4 * expected);
        }
    }

    [Fact]
    public async Task Score_WithoutPeaks_IsTheErrorOfTheOutputWithoutTheNeuron()
    {
        var (scores, plain) = await RunAsync("{\"peak\":0}");

        foreach (var (expert, neuron) in new[] { (0, 0), (2, 11), (3, 23) })
        {
            // ||Y - Y without (e, j)||^2 from both outputs, not from the formula.
            var error = 0.0;
            for (var token = 0; token < plain.Tokens; token++)
                for (var i = 0; i < 32; i++)
                {
                    var with = Routed(plain, token, i, null);
                    error += Math.Pow(with - Routed(plain, token, i, (expert, neuron)), 2);
                }
            scores[expert * 24 + neuron].ShouldBe(error, 1e-4 * error);
        }
    }

    [Fact]
    public async Task Run_ScopeLayer_TakesTheSameShareOfEveryLayerAndTheLowestScores()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        await tiny.AddCalibrationAsync();

        var result = await new PruneStage().RunAsync(
            tiny.Context("{\"method\":\"camera-p\",\"scope\":\"layer\",\"ratio\":0.25,\"multiple-of\":1," + Calibration + "}"), default);

        var scores = await tiny.ReportAsync(result, "scores.json");
        var layers = (await tiny.ReportAsync(result)).GetProperty("layers");
        for (var layer = 0; layer < 2; layer++)
        {
            var ranked = scores[layer].EnumerateArray().Select((s, unit) => (Score: s.GetDouble(), Unit: unit)).OrderByDescending(s => s.Score).Take(72);
            var kept = layers[layer].GetProperty("kept-neurons").EnumerateArray()
                .SelectMany((e, expert) => e.EnumerateArray().Select(n => expert * 24 + n.GetInt32()));
            kept.Order().ShouldBe(ranked.Select(r => r.Unit).Order());
        }
        result.Metrics["ratio"].ShouldBe(0.25, 1e-12);
    }

    private static IEnumerable<double> Contributions(PlainBlock plain, int expert, int neuron) =>
        plain.TokensOf(expert).Select(t => plain.Gates[t][expert] * plain.Hidden[t][expert][neuron]);

    private static double Routed(PlainBlock plain, int token, int channel, (int Expert, int Neuron)? without) =>
        Enumerable.Range(0, plain.Experts).Sum(e => plain.Gates[token][e] * Enumerable.Range(0, 24)
            .Where(j => without != (e, j)).Sum(j => plain.Down[e][channel][j] * plain.Hidden[token][e][j]));

    private static Task<(double[] Scores, PlainBlock Plain)> RunAsync(string options) => PlainBlock.RunAsync(new CameraP(), options, Granularity.Neuron);
}
