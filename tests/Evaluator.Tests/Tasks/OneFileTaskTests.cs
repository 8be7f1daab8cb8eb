using System.Text.Json;
using Espalier.Contracts;
using Espalier.Evaluator.Passes;
using Espalier.Evaluator.Reports;
using Espalier.Evaluator.Tasks;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.TestKit.Models;

namespace Espalier.Evaluator.Tests.Tasks;

/// <summary>A new task is one file: this one holds it, its options are checked, it measures, reports and compares, and nothing else knows it.</summary>
public sealed class OneFileTaskTests : IDisposable
{
    private readonly StageBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task Run_OwnTask_IsInReportMetricsAndComparisons()
    {
        var (small, large) = (await _bench.ModelAsync(ModelConfig.Tiny(), seed: 1), await _bench.ModelAsync(ModelConfig.Tiny() with { Layers = 3 }, seed: 2));
        StepInput[] inputs = [new("small", OutputNames.Model, small), new("large", OutputNames.Model, large), new("data", "data", await DatasetAsync())];

        var result = await new EvaluateStage().RunAsync(
            _bench.Context("""{"tasks":["vocabulary-use","logits"],"tokens":[[1,2]],"baseline":"small","xz":false}""", inputs), default);

        result.Metrics["small.used-tokens"].ShouldBe(3); // a, b, c
        result.Metrics["large.used-tokens-per-layer"].ShouldBe(1);
        result.Metrics["large.used-tokens-per-layer-difference"].ShouldBe(1 - 1.5);
        var report = JsonSerializer.Deserialize<EvaluationReport>(
            (await _bench.OpenAsync(result.Outputs[OutputNames.Report])).ReadFile("report.json"), WireJson.Options)!;
        report.Models[1].Section<VocabularyUse.Found>("vocabulary-use")!.Tokens.ShouldBe(3);
        report.Comparisons.ShouldHaveSingleItem().Entries["used-tokens-per-layer"].GetDouble().ShouldBe(-0.5);
    }

    [Fact]
    public async Task Run_OwnTask_RefusesOptionsByItsOwnRule()
    {
        StepInput[] inputs = [new("model", OutputNames.Model, await _bench.ModelAsync(ModelConfig.Tiny())), new("data", "data", await DatasetAsync())];

        (await Should.ThrowAsync<UserInputException>(() => new EvaluateStage().RunAsync(
            _bench.Context("""{"tasks":["vocabulary-use"],"seed":-1}""", inputs), default))).Message.ShouldContain("'seed' is negative");
    }

    private Task<ManifestRef> DatasetAsync() => _bench.DatasetAsync(new Dictionary<string, IReadOnlyList<string>> { ["held-out/letters"] = ["abcabc", "cab"] });
}

/// <summary>How many tokens of the vocabulary the held-out text uses, for each layer of the model.</summary>
internal sealed class VocabularyUse : IEvaluationTask
{
    public string Name => "vocabulary-use";

    public string Summary => "How many tokens of the vocabulary the held-out text uses.";

    public EvaluationNeeds Needs => EvaluationNeeds.Documents;

    public void Check(EvaluateOptions options, IReadOnlyList<ModelUnderTest> models)
    {
        if (options.Seed < 0)
            throw new UserInputException("'seed' is negative.");
    }

    public async Task<object?> MeasureAsync(ModelMeasurement measurement, CancellationToken cancellationToken) => await measurement.KeepAsync(
        Name,
        _ =>
        {
            var used = measurement.Material.Text!.Documents.SelectMany(document => measurement.Model.Tokenizer.Encode(document.Text)).Distinct().Count();
            return Task.FromResult(new Found(used, (double)used / measurement.Model.Config.Layers));
        },
        cancellationToken);

    public ITaskReport Report(TaskResults results) => new Uses(results);

    internal sealed record Found(int Tokens, double PerLayer);

    private sealed class Uses(TaskResults results) : ITaskReport
    {
        public ModelSection OfModel(int model)
        {
            var found = results.Of<Found>(model)!;
            return new ModelSection(found, new MetricTable { { "used-tokens", found.Tokens }, { "used-tokens-per-layer", found.PerLayer } });
        }

        public PairSection OfPair(int first, int second)
        {
            var difference = results.Of<Found>(first)!.PerLayer - results.Of<Found>(second)!.PerLayer;
            return new PairSection(
                new Dictionary<string, object?> { ["used-tokens-per-layer"] = difference },
                new MetricTable { { "used-tokens-per-layer-difference", difference } });
        }
    }
}
