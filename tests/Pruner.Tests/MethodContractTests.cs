using Espalier.Modeling;
using Espalier.Modeling.Runtime;
using Espalier.Pipelines.Options;
using Espalier.Pruner.Calibration;
using Espalier.Pruner.Methods;
using Espalier.Surgery.Checkpoints;
using Espalier.Stages.Methods;
using Espalier.Surgery;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Tests;

/// <summary>What every discovered method must do on what calibration of a real, tiny model gives it; a new file is covered by being there.</summary>
public sealed class MethodContractTests
{
    private const string Calibration = "\"calibration\":{\"data\":\"file:words\",\"samples\":8,\"length\":32,\"batch\":4}";

    public static TheoryData<string> Methods => [.. MethodCatalog<IPruningMethod>.Names];

    [Fact]
    public void Schema_Choices_AreTheDiscoveredMethods() =>
        OptionSchema.For(typeof(PruneOptions)).Properties!["method"].Choices!.Order().ShouldBe(MethodCatalog<IPruningMethod>.Names);

    [Theory]
    [MemberData(nameof(Methods))]
    public void Summary_EveryMethod_IsASentence(string name)
    {
        var method = MethodCatalog<IPruningMethod>.Get(name, "method");

        method.Summary.Length.ShouldBeGreaterThan(20);
        method.Summary.ShouldEndWith(".");
        method.Granularities.ShouldNotBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public async Task Score_EveryMethod_TellsUnitsApartAndIsRepeatable(string name)
    {
        using var tiny = await CreateAsync();
        var (method, source) = (MethodCatalog<IPruningMethod>.Get(name, "method"), await tiny.OpenAsync(tiny.Model));
        var sums = await CalibrateAsync(tiny, source, method);
        foreach (var granularity in method.Granularities)
        {
            foreach (var layer in Enumerable.Range(0, tiny.Config.Layers))
            {
                if (granularity == Granularity.Weight)
                {
                    await CheckWeightScoresAsync(tiny, method, source, layer);
                    continue;
                }
                var scores = method.Score(sums[layer], Request(source, layer, granularity));

                scores.Length.ShouldBe(granularity == Granularity.Expert ? 4 : 4 * 24);
                scores.ShouldAllBe(s => double.IsFinite(s));
                scores.Distinct().Count().ShouldBeGreaterThan(scores.Length / 2, $"{name}: equal scores say nothing");
                method.Score((await CalibrateAsync(tiny, source, method))[layer], Request(source, layer, granularity)).ShouldBe(scores);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public async Task Calibration_EveryMethod_CollectsWhatItDeclares(string name)
    {
        using var tiny = await CreateAsync();
        var method = MethodCatalog<IPruningMethod>.Get(name, "method");

        var sums = await CalibrateAsync(tiny, await tiny.OpenAsync(tiny.Model), method);

        sums[0].Names.ShouldBe(method.Sums(Options(name)), ignoreOrder: true);
        if (method.Need != CalibrationNeed.None)
            sums.ShouldAllBe(layer => layer.Tokens.Sum() == 8 * 32 * 2 && layer.Gates.Sum() > 0);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public async Task Run_EveryMethodAndGranularity_KeepsTopKExpertsAndLeavesNoTensor(string name)
    {
        using var tiny = await CreateAsync();
        var method = MethodCatalog<IPruningMethod>.Get(name, "method");
        foreach (var granularity in method.Granularities)
        {
            var word = PruneRules.Word(granularity);
            var options = $$"""{"method":"{{name}}","granularity":"{{word}}","ratio":0.5,"max-fallback":1,"seed":3,{{Calibration}}}""";
            var result = await RunAsync(tiny, options);
            var before = TorchRuntime.LiveTensorCount;

            var again = await RunAsync(tiny, options);

            TorchRuntime.LiveTensorCount.ShouldBe(before);
            again.Outputs["model"].ShouldBe(result.Outputs["model"]);
            var config = (await tiny.OpenAsync(result.Outputs["model"])).Config;
            config.Experts.ShouldBe(granularity == Granularity.Expert ? 2 : 4);
            config.ExpertSize.ShouldBe(granularity == Granularity.Neuron ? 16 : 24);
        }
    }

    private static async Task CheckWeightScoresAsync(TinyCheckpoint tiny, IPruningMethod method, MoeCheckpoint source, int layer)
    {
        using var scope = NewDisposeScope();
        var (sums, again) = ((await CalibrateAsync(tiny, source, method))[layer], (await CalibrateAsync(tiny, source, method))[layer]);
        foreach (var projection in new[] { "gate", "up", "down" })
        {
            var scores = method.ScoreWeights(3, projection, sums, Request(source, layer, Granularity.Weight));

            scores.shape.ShouldBe(source.Projection(layer, 3, projection).Shape);
            scores.isfinite().all().item<bool>().ShouldBeTrue();
            scores.ge(0).all().item<bool>().ShouldBeTrue();
            method.ScoreWeights(3, projection, again, Request(source, layer, Granularity.Weight)).eq(scores).all().item<bool>().ShouldBeTrue();
        }
    }

    private static async Task<Stages.StageResult> RunAsync(TinyCheckpoint tiny, string options)
    {
        tiny.Cursor.Position = null;
        return await new PruneStage().RunAsync(tiny.Context(options), default);
    }

    private static async Task<TinyCheckpoint> CreateAsync()
    {
        var tiny = await TinyCheckpoint.CreateAsync(ModelConfig.Tiny());
        await tiny.AddCalibrationAsync();
        return tiny;
    }

    private static System.Text.Json.JsonElement Options(string method) =>
        System.Text.Json.JsonDocument.Parse($$"""{"method":"{{method}}","ratio":0.5,"seed":7,{{Calibration}}}""").RootElement;

    private static async Task<IReadOnlyList<LayerSums>> CalibrateAsync(TinyCheckpoint tiny, MoeCheckpoint source, IPruningMethod method)
    {
        tiny.Cursor.Position = null;
        var context = tiny.Context(Options(method.Name).GetRawText());
        return (await SumCollector.CollectAsync(context, source, method, method.Need, default)).Layers;
    }

    private static ScoreRequest Request(MoeCheckpoint source, int layer, Granularity granularity) =>
        new(layer, granularity, 7, default) { Weights = new LayerWeights(source.Config, new StoredWeights(source.Reader), layer) };
}
