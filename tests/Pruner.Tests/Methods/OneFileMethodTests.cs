using System.Text.Json;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pruner.Calibration;
using Espalier.Pruner.Methods;
using Espalier.TestKit.Models;
using static TorchSharp.torch;

namespace Espalier.Pruner.Tests.Methods;

/// <summary>A new pruning method is one file: this one holds it, with options of its own, and sees weights beside sums; nothing else knows it.</summary>
public sealed class OneFileMethodTests
{
    [Fact]
    public async Task Run_OwnMethod_DropsTheExpertsOfLeastWeight()
    {
        using var tiny = await TinyCheckpoint.CreateAsync(change: (name, values) =>
            name.Contains(".experts.2.", StringComparison.Ordinal) ? [.. values.Select(v => v / 100)] : values);

        var result = await new PruneStage().RunAsync(tiny.Context("""{"method":"weight-power","ratio":0.25}"""), default);

        var layers = (await tiny.ReportAsync(result)).GetProperty("layers");
        layers.EnumerateArray().ShouldAllBe(layer => layer.GetProperty("dropped-experts")[0].GetInt32() == 2);
    }

    [Fact]
    public async Task Run_OwnMethodOnNeurons_KeepsTheLargestByItsOwnPower()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var scores = await ScoresAsync(tiny, """{"method":"weight-power","granularity":"neuron","power":1,"ratio":0.34}""");

        using var scope = NewDisposeScope();
        var source = await tiny.OpenAsync(tiny.Model);
        var gate = source.ReadFloats(source.Projection(1, 3, "gate"));
        scores[1][3 * 24 + 5].GetDouble().ShouldBe(gate.AsSpan(5 * 32, 32).ToArray().Sum(v => Math.Abs((double)v)), 1e-4);
    }

    [Fact]
    public void Schema_OwnMethod_IsOfferedWithItsOptions()
    {
        var schema = OptionSchema.For(typeof(PruneOptions));

        schema.Properties!["method"].Choices!.ShouldContain("weight-power");
        schema.Methods!["weight-power"].Properties!["power"].Max.ShouldBe(8);
        Should.Throw<UserInputException>(() =>
            OptionReader.Parse(schema, """{"method":"weight-power","ratio":0.5,"power":9}""", "test")).Message.ShouldContain("power");
    }

    private static async Task<JsonElement> ScoresAsync(TinyCheckpoint tiny, string options) =>
        await tiny.ReportAsync(await new PruneStage().RunAsync(tiny.Context(options), default), "scores.json");
}

/// <summary>Sum of |w|^p over an expert's three matrices, or over a neuron's row of gate.</summary>
public sealed class WeightPower : IPruningMethod
{
    [MethodOptions(typeof(PruneOptions), "weight-power")]
    public sealed record Settings
    {
        [Option("Power of each weight's magnitude.", Min = 1, Max = 8)]
        public int Power { get; init; } = 2;
    }

    public string Name => "weight-power";

    public string Summary => "Sum of the weights' magnitudes to a power; needs no text.";

    public IReadOnlyList<Granularity> Granularities => [Granularity.Expert, Granularity.Neuron];

    public CalibrationNeed Need => CalibrationNeed.None;

    public double[] Score(LayerSums sums, ScoreRequest request)
    {
        using var scope = NewDisposeScope();
        var power = request.Read<Settings>().Power;
        var experts = Enumerable.Range(0, sums.Experts);
        return request.Granularity == Granularity.Expert
            ? [.. experts.Select(expert => new[] { "gate", "up", "down" }.Sum(p => Powers(request.Weights.Expert(expert, p), power).sum().item<double>()))]
            : [.. experts.SelectMany(expert => Powers(request.Weights.Expert(expert, "gate"), power).sum([1L]).data<double>().ToArray())];
    }

    private static Tensor Powers(Tensor weight, int power) => weight.to(float64).abs().pow(power);
}
