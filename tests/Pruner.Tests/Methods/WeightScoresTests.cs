using System.Text.Json;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Pruner.Calibration;
using Espalier.Pruner.Methods;
using Espalier.Stages;
using Espalier.Surgery;
using Espalier.Surgery.Checkpoints;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Tests.Methods;

/// <summary>Single weights that become zero: which ones, counted how, refused when.</summary>
public sealed class WeightScoresTests
{
    private const string Calibration = "\"min-tokens\":1,\"calibration\":{\"data\":\"file:words\",\"samples\":8,\"length\":32,\"batch\":4}";
    private static readonly string[] Projections = ["gate", "up", "down"];

    [Theory]
    [InlineData("F32")]
    [InlineData("BF16")]
    public async Task Run_Magnitude_ZeroesTheSmallestOfEveryRowAndNothingElse(string dtype)
    {
        using var tiny = await TinyCheckpoint.CreateAsync(dtype: dtype);

        var result = await RunAsync(tiny, "{\"method\":\"magnitude\",\"ratio\":0.4}");

        var (before, after) = (await tiny.OpenAsync(tiny.Model), await tiny.OpenAsync(result.Outputs["model"]));
        foreach (var (old, now, width) in Rows(before, after))
            now.ShouldBe(Without(old, [.. old.Select(w => Math.Abs((double)w))], (int)(0.4 * width)));
        after.Config.ShouldBeEquivalentTo(before.Config);
        after.Manifest.SizeBytes.ShouldBe(before.Manifest.SizeBytes);
        foreach (var tensor in before.Others)
            (after.Tensor(tensor.Name).Blob, after.Tensor(tensor.Name).Offset).ShouldBe((tensor.Blob, tensor.Offset));
    }

    [Fact]
    public async Task Run_Wanda_ZeroesTheLeastMagnitudeTimesInputNorm()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        await tiny.AddCalibrationAsync();

        var result = await RunAsync(tiny, "{\"method\":\"wanda\",\"ratio\":0.5," + Calibration + "}");

        var (before, after) = (await tiny.OpenAsync(tiny.Model), await tiny.OpenAsync(result.Outputs["model"]));
        var rows = Rows(before, after).ToList();
        rows.ShouldAllBe(r => r.Now.Count(w => w == 0) == r.Width / 2);
        rows.Count(r => !r.Now.SequenceEqual(Without(r.Old, [.. r.Old.Select(w => Math.Abs((double)w))], r.Width / 2)))
            .ShouldBeGreaterThan(rows.Count / 2, "the inputs change what goes");
    }

    [Theory]
    [InlineData("gate")]
    [InlineData("up")]
    [InlineData("down")]
    public async Task ScoreWeights_RandomLayer_EqualsThePlainTwin(string projection)
    {
        var plain = await PlainBlock.RunAsync(new Probe(projection), "{\"min-tokens\":1}", Granularity.Weight);

        var inputs = projection == "down" ? 24 : 32;
        for (var expert = 0; expert < 4; expert++)
        {
            var tokens = plain.Plain.TokensOf(expert);
            for (var column = 0; column < inputs; column++)
            {
                var expected = Math.Sqrt(tokens.Average(t => Math.Pow(
                    projection == "down" ? plain.Plain.Hidden[t][expert][column] : plain.Plain.Input[t][column], 2)));
                plain.Scores[expert * inputs + column].ShouldBe(expected, 1e-5 * expected);
            }
        }
    }

    [Fact]
    public void ScoreWeights_InputsOfOne_AreTheMagnitudes()
    {
        using var scope = NewDisposeScope();
        var sums = new LayerSums(1, 2);
        sums.Tokens[0] = 500;
        var expert = new ExpertObservation(0, arange(500), ones(500), ones(500, 2), ones(500, 3), ones(3, 2), null);
        new Wanda().ObserveBlock(new BlockObservation(ones(500, 3), ones(500, 3), ones(500, 1), ones(500, 1), [expert]), sums);

        var scores = new Wanda().ScoreWeights(0, "gate", sums, Request(tensor(new float[,] { { 1, -2, 3 }, { -4, 5, -6 } })));

        scores.data<double>().ToArray().ShouldBe([1, 2, 3, 4, 5, 6]);
    }

    [Theory]
    [InlineData("F32")]
    [InlineData("F16")]
    public async Task Run_TwoFour_LeavesTwoOfEveryFour(string dtype)
    {
        using var tiny = await TinyCheckpoint.CreateAsync(dtype: dtype);
        await tiny.AddCalibrationAsync();

        var result = await RunAsync(tiny, "{\"method\":\"two-four\",\"ratio\":0.5," + Calibration + "}");

        var rows = Rows(await tiny.OpenAsync(tiny.Model), await tiny.OpenAsync(result.Outputs["model"])).ToList();
        rows.SelectMany(r => r.Now.Chunk(4)).ShouldAllBe(group => group.Count(w => w == 0) == 2);
        rows.SelectMany(r => r.Now.Zip(r.Old)).ShouldAllBe(w => w.First == 0 || w.First == w.Second);
        result.Metrics["ratio"].ShouldBe(0.5, 1e-12);
        result.Metrics["stored-ratio"].ShouldBe(0);
    }

    [Fact]
    public async Task Run_SingleWeights_ReportAndManifestSayHowManyAreZeroAndThatNoByteIsSaved()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var result = await RunAsync(tiny, "{\"method\":\"magnitude\",\"ratio\":0.5}");

        var zeros = 2 * 4 * 3 * 24 * 32 / 2;
        var sparsity = (await tiny.ReportAsync(result)).GetProperty("sparsity");
        sparsity.GetProperty("zeros").GetInt64().ShouldBe(zeros);
        sparsity.GetProperty("zeros-by-projection").GetProperty("down").GetInt64().ShouldBe(zeros / 3);
        (await tiny.Store.ReadAsync(result.Outputs["model"].Root, default)).Properties!["sparsity"]!["zeros"]!.GetValue<long>().ShouldBe(zeros);
        (await tiny.ReportAsync(result)).GetProperty("zero-parameters").GetInt64().ShouldBe(zeros);
        result.Notes.ShouldContain(note => note.StartsWith(
            "50 % of the routed experts' weights are zero, and the model takes as many bytes", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Run_WandaOnLittleText_IsRefusedUnlessAllowedAndThenRanksByMagnitude()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        await tiny.AddCalibrationAsync();
        const string Options = "{\"method\":\"wanda\",\"ratio\":0.5,\"min-tokens\":100000,"
            + "\"calibration\":{\"data\":\"file:words\",\"samples\":8,\"length\":32}}";

        var error = await Should.ThrowAsync<UserInputException>(() => RunAsync(tiny, Options));
        tiny.Cursor.Position = null;
        var result = await RunAsync(tiny, Options.Replace("\"ratio\"", "\"max-fallback\":1,\"ratio\"", StringComparison.Ordinal));

        error.Message.ShouldContain("too little of 8 of 8 experts");
        error.Message.ShouldContain("raise 'max-fallback'");
        var magnitude = await RunAsync(tiny, "{\"method\":\"magnitude\",\"ratio\":0.5}");
        var (a, b) = (await tiny.OpenAsync(result.Outputs["model"]), await tiny.OpenAsync(magnitude.Outputs["model"]));
        Rows(a, b).ShouldAllBe(r => r.Now.SequenceEqual(r.Old));
        var coverage = (await tiny.ReportAsync(result)).GetProperty("coverage");
        coverage.GetProperty("fallbacks").GetInt32().ShouldBe(8);
        coverage.GetProperty("layers")[1].GetProperty("tokens").EnumerateArray().Sum(t => t.GetInt64()).ShouldBe(8 * 32 * 2);
    }

    [Fact]
    public async Task Run_ReapWhereAnExpertGetsNoToken_IsRefused()
    {
        using var tiny = await TinyCheckpoint.CreateAsync(routerBias: true, change: (name, values) =>
            name.EndsWith("gate.bias", StringComparison.Ordinal) ? [0, 0, 0, -1e4f] : values);
        await tiny.AddCalibrationAsync();

        var error = await Should.ThrowAsync<UserInputException>(() => RunAsync(
            tiny, "{\"method\":\"reap\",\"ratio\":0.25,\"calibration\":{\"data\":\"file:words\",\"samples\":8,\"length\":32}}"));

        error.Message.ShouldContain("layer 0, expert 3");
    }

    [Theory]
    [InlineData("\"method\":\"two-four\",\"ratio\":0.4", "Set ratio: 0.5")]
    [InlineData("\"method\":\"wanda\",\"ratio\":0.4,\"scope\":\"global\"", "Use scope uniform")]
    [InlineData("\"method\":\"wanda\",\"ratio\":0.4,\"granularity\":\"neuron\"", "Change 'granularity'")]
    [InlineData("\"method\":\"reap\",\"ratio\":0.5,\"granularity\":\"weight\"", "use magnitude or two-four or wanda")]
    [InlineData("\"method\":\"reap\",\"ratio\":0.5,\"scope\":\"layer\"", "or granularity neuron")]
    public async Task Run_OptionsThatCannotWork_SaysWhatWould(string options, string remedy)
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        await tiny.AddCalibrationAsync();

        var error = await Should.ThrowAsync<UserInputException>(() =>
            RunAsync(tiny, "{" + options + ",\"calibration\":{\"data\":\"file:words\",\"samples\":8,\"length\":32}}"));

        error.Message.ShouldContain(remedy);
    }

    private static Task<StageResult> RunAsync(TinyCheckpoint tiny, string options) => new PruneStage().RunAsync(tiny.Context(options), default);

    // The same row of every matrix of every expert before and after.
    private static IEnumerable<(float[] Old, float[] Now, int Width)> Rows(MoeCheckpoint before, MoeCheckpoint after) =>
        from layer in before.Config.SparseLayers
        from expert in Enumerable.Range(0, before.Config.Experts)
        from projection in Projections
        let tensor = before.Projection(layer, expert, projection)
        let width = (int)tensor.Shape[1]
        from pair in before.ReadFloats(tensor).Chunk(width).Zip(after.ReadFloats(after.Projection(layer, expert, projection)).Chunk(width))
        select (pair.First, pair.Second, width);

    private static float[] Without(float[] row, double[] scores, int count)
    {
        var goes = Enumerable.Range(0, row.Length).OrderBy(i => scores[i]).ThenByDescending(i => i).Take(count).ToHashSet();
        return [.. row.Select((w, i) => goes.Contains(i) ? 0 : w)];
    }

    private static ScoreRequest Request(Tensor matrix) => new(0, Granularity.Weight, 0, default)
    {
        Weights = new LayerWeights(ModelConfig.Tiny(), new OneMatrix(matrix), 0),
    };

    // The root mean square of each input of a projection, (E in): Wanda's scores over the magnitudes of a row.
    private sealed class Probe(string projection) : IPruningMethod
    {
        public string Name => "probe";

        public string Summary => "Shows the input norms that Wanda multiplies with.";

        public IReadOnlyList<Granularity> Granularities => [Granularity.Weight];

        public CalibrationNeed Need => CalibrationNeed.Activations;

        public IReadOnlyList<string> Sums(JsonElement options) => new Wanda().Sums(options);

        public void ObserveBlock(BlockObservation seen, LayerSums sums) => new Wanda().ObserveBlock(seen, sums);

        public double[] Score(LayerSums sums, ScoreRequest request) =>
        [
            .. Enumerable.Range(0, sums.Experts).SelectMany(expert =>
                (new Wanda().ScoreWeights(expert, projection, sums, request) / request.Weights.Expert(expert, projection).to(float64).abs())[3]
                    .data<double>().ToArray()),
        ];
    }

    private sealed class OneMatrix(Tensor matrix) : Modeling.Checkpoints.IWeightSource
    {
        public IReadOnlyCollection<string> Names => [TensorNames.Expert(0, 0, "gate")];

        public Modeling.Checkpoints.WeightHeader Describe(string name) => new(ScalarType.Float32, matrix.shape);

        public Tensor Read(string name) => matrix.clone();
    }
}
