using System.Text.Json;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Pruner.Calibration;
using Espalier.Pruner.Methods;
using Espalier.TestKit.Models;
using static TorchSharp.torch;

namespace Espalier.Pruner.Tests.Methods;

/// <summary>Scores of whole experts: by hand, and against loops in float64 that start from the stored weights.</summary>
public sealed class ExpertScoresTests
{
    private const string Calibration = "\"calibration\":{\"data\":\"file:words\",\"samples\":8,\"length\":32,\"batch\":4}";

    // Two tokens, two of three experts each: token 0 to experts 0 and 1, token 1 to experts 0 and 2.
    [Theory]
    [InlineData("reap", "{}", 2.4, 0.4, 0.6)]                                                  // expert 0: (0.6 * 5 + 0.9 * 2) / 2
    [InlineData("reap", "{\"weigh-frequency\":true}", 4.8, 0.4, 0.6)]
    [InlineData("reap", "{\"renormalize-gates\":true}", 2.25, 0.4, 0.5)]                       // token 1: 0.9 / 1.2 and 0.3 / 1.2
    [InlineData("man", "{}", 3.5, 1, 2)]
    [InlineData("msan", "{}", 14.5, 1, 4)]
    [InlineData("msan", "{\"weigh-gates\":true,\"weigh-frequency\":true,\"strength\":\"none\"}", 1.5, 0.4, 0.3)]
    [InlineData("man", "{\"weigh-frequency\":true,\"strength\":\"none\"}", 2, 1, 1)]
    public void Score_TwoTokens_EqualsTheHandComputation(string method, string options, double first, double second, double third)
    {
        var scores = Score(method, options);

        scores[0].ShouldBe(first, 1e-6);
        scores[1].ShouldBe(second, 1e-6);
        scores[2].ShouldBe(third, 1e-6);
    }

    [Fact]
    public void EasyEp_OneExpert_EqualsTheHandbookExample()
    {
        using var scope = NewDisposeScope();
        var sums = new LayerSums(1, 1);
        var gates = tensor(new[] { 0.2f });
        var output = tensor(new float[,] { { 0, 5 } });
        var expert = new ExpertObservation(0, arange(1), gates, ones(1, 1), output, ones(2, 1), null);
        var residual = tensor(new float[,] { { 1, 0 } });

        new EasyEp().ObserveBlock(new BlockObservation(residual, residual, zeros(1, 1), gates.view(1, 1), [expert]), sums);

        new EasyEp().Score(sums, Request("{}"))[0].ShouldBe(0.2 * 5 * (1 - Math.Sqrt(0.5)), 1e-7); // y = (0, 1): 45 degrees
    }

    [Theory]
    [InlineData("{}", 1.5, 1, 0)]                                                              // the largest of each token: 3 and 2
    [InlineData("{\"candidates\":2}", 1.25, 1.5, 0)]
    [InlineData("{\"candidates\":2,\"confidence\":0.5}", 1.5, 1, 0)]
    public void Tcess_TwoTokens_EqualsTheHandComputation(string options, double first, double second, double third)
    {
        var scores = ScoreLogits(options, new float[,] { { 3, 1, -1 }, { -0.5f, 2, -2 } });

        scores.ShouldBe([first, second, third], 1e-9);
    }

    [Fact]
    public void Tcess_NegativeLogits_PutsTheExpertThatIsNeverWantedLast()
    {
        var scores = ScoreLogits("{}", new float[,] { { -3, -9, -9 }, { -9, -2, -9 } });

        scores.ShouldBe([-1.5, -1, -2.5], 1e-9);
    }

    [Theory]
    [InlineData("reap", true)]
    [InlineData("reap", false)]
    [InlineData("man", true)]
    [InlineData("msan", true)]
    [InlineData("easy-ep", true)]
    [InlineData("easy-ep", false)]
    [InlineData("tcess", true)]
    public async Task Score_RandomLayer_EqualsThePlainTwin(string name, bool normalize)
    {
        var method = Stages.Methods.MethodCatalog<IPruningMethod>.Get(name, "method");
        var options = name == "tcess" ? "{\"candidates\":2,\"confidence\":0.4}" : "{}";

        var (scores, plain) = await PlainBlock.RunAsync(method, options, Granularity.Expert, ModelConfig.Tiny() with { NormalizeTopK = normalize });

        for (var expert = 0; expert < plain.Experts; expert++)
        {
            var expected = Expected(name, plain, expert);
            scores[expert].ShouldBe(expected, 1e-5 * Math.Abs(expected) + 1e-9);
        }
    }

    [Theory]
    [InlineData("reap", 1)]
    [InlineData("man", 1)]
    [InlineData("msan", 2)]
    public async Task Score_DownProjectionTimesThree_ScalesThatExpertAlone(string name, int power)
    {
        var plain = await ScoresAsync(name, 1);
        var scaled = await ScoresAsync(name, 3);

        scaled[2].ShouldBe(plain[2] * Math.Pow(3, power), 1e-4 * scaled[2]);
        foreach (var expert in new[] { 0, 1, 3 })
            scaled[expert].ShouldBe(plain[expert], 1e-9);
    }

    [Fact]
    public async Task Run_Reap_DropsTheExpertOfTheLeastScoreAndReportsScores()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        await tiny.AddCalibrationAsync();

        var result = await new PruneStage().RunAsync(tiny.Context("{\"method\":\"reap\",\"ratio\":0.25," + Calibration + "}"), default);

        var scores = (await tiny.ReportAsync(result, "scores.json"))[1].EnumerateArray().Select(s => s.GetDouble()).ToList();
        var layer = (await tiny.ReportAsync(result)).GetProperty("layers")[1];
        layer.GetProperty("dropped-experts")[0].GetInt32().ShouldBe(scores.IndexOf(scores.Min()));
    }

    [Theory]
    [InlineData("\"method\":\"man\",\"renormalize-gates\":true", "Set weigh-gates: true")]
    [InlineData("\"method\":\"man\",\"strength\":\"none\"", "set strength: norm")]
    [InlineData("\"method\":\"tcess\",\"candidates\":5", "Use at most 4")]
    [InlineData("\"method\":\"tcess\",\"confidence\":0.5", "Raise 'candidates'")]
    [InlineData("\"method\":\"easy-ep\",\"granularity\":\"neuron\"", "Change 'granularity'")]
    public async Task Run_OptionsThatCannotWork_SaysWhatWould(string options, string remedy)
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        await tiny.AddCalibrationAsync();

        var error = await Should.ThrowAsync<UserInputException>(() =>
            new PruneStage().RunAsync(tiny.Context("{" + options + ",\"ratio\":0.25," + Calibration + "}"), default));

        error.Message.ShouldContain(remedy);
        tiny.Progress.Reports.ShouldBeEmpty();
    }

    private static double Expected(string name, PlainBlock plain, int expert)
    {
        var tokens = plain.TokensOf(expert);
        return name switch
        {
            "reap" => tokens.Average(t => plain.Gates[t][expert] * PlainBlock.Norm(plain.Output[t][expert])),
            "man" => tokens.Average(t => PlainBlock.Norm(plain.Output[t][expert])),
            "msan" => tokens.Average(t => PlainBlock.Dot(plain.Output[t][expert], plain.Output[t][expert])),
            "easy-ep" => tokens.Sum(t => plain.Gates[t][expert] * PlainBlock.Norm(plain.Output[t][expert]) * Turn(plain, t)),
            _ => Enumerable.Range(0, plain.Tokens).Sum(t => Wanted(plain.Logits[t], expert)) / plain.Tokens,
        };
    }

    private static double Turn(PlainBlock plain, int token)
    {
        var before = plain.Residual[token];
        var after = before.Select((r, i) => r + Enumerable.Range(0, plain.Experts).Sum(e => plain.Gates[token][e] * plain.Output[token][e][i])).ToArray();
        return Math.Max(0, 1 - PlainBlock.Dot(before, after) / (PlainBlock.Norm(before) * PlainBlock.Norm(after)));
    }

    // Two candidates, share of at least 0.4.
    private static double Wanted(double[] logits, int expert)
    {
        var best = Enumerable.Range(0, logits.Length).OrderByDescending(e => logits[e]).Take(2).ToList();
        return best.Contains(expert) && Math.Exp(logits[expert]) / best.Sum(e => Math.Exp(logits[e])) >= 0.4 ? logits[expert] : 0;
    }

    private static async Task<double[]> ScoresAsync(string name, float scale)
    {
        using var tiny = await TinyCheckpoint.CreateAsync(ModelConfig.Tiny() with { Layers = 1 }, change: (tensor, values) =>
            tensor == TensorNames.Expert(0, 2, "down") ? [.. values.Select(v => scale * v)] : values);
        await tiny.AddCalibrationAsync();
        var result = await new PruneStage().RunAsync(tiny.Context("{\"method\":\"" + name + "\",\"ratio\":0.25," + Calibration + "}"), default);
        return [.. (await tiny.ReportAsync(result, "scores.json"))[0].EnumerateArray().Select(s => s.GetDouble())];
    }

    private static double[] Score(string name, string options)
    {
        using var scope = NewDisposeScope();
        var method = Stages.Methods.MethodCatalog<IPruningMethod>.Get(name, "method");
        var sums = new LayerSums(3, 1);
        (sums.Tokens[0], sums.Tokens[1], sums.Tokens[2]) = (2, 1, 1);
        ExpertObservation[] experts =
        [
            new(0, tensor(new long[] { 0, 1 }), tensor(new[] { 0.6f, 0.9f }), ones(2, 1), tensor(new float[,] { { 3, 4 }, { 0, 2 } }), ones(2, 1), null),
            new(1, tensor(new long[] { 0 }), tensor(new[] { 0.4f }), ones(1, 1), tensor(new float[,] { { 1, 0 } }), ones(2, 1), null),
            new(2, tensor(new long[] { 1 }), tensor(new[] { 0.3f }), ones(1, 1), tensor(new float[,] { { 0, 2 } }), ones(2, 1), null),
        ];
        var gates = tensor(new float[,] { { 0.6f, 0.4f }, { 0.9f, 0.3f } });
        var block = new BlockObservation(zeros(2, 2), zeros(2, 2), zeros(2, 3), gates, experts) { Options = JsonDocument.Parse(options).RootElement };
        method.ObserveBlock(block, sums);
        return method.Score(sums, Request(options));
    }

    private static double[] ScoreLogits(string options, float[,] logits)
    {
        using var scope = NewDisposeScope();
        var sums = new LayerSums(3, 1);
        var block = new BlockObservation(zeros(2, 2), zeros(2, 2), tensor(logits), zeros(2, 2), []) { Options = JsonDocument.Parse(options).RootElement };
        new Tcess().ObserveBlock(block, sums);
        return new Tcess().Score(sums, Request(options));
    }

    private static ScoreRequest Request(string options) => new(0, Granularity.Expert, 0, JsonDocument.Parse(options).RootElement);
}
