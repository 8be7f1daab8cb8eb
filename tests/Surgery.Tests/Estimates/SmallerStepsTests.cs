using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Surgery.Estimates;

namespace Espalier.Surgery.Tests.Estimates;

/// <summary>What a plan can name when a step does not fit.</summary>
public sealed class SmallerStepsTests
{
    [Fact]
    public async Task Estimate_StepWithSmallerForms_NamesThoseThatTakeLess()
    {
        var estimated = await EstimateAsync("""{"batch":8,"calibration":{"batch":4}}""");

        estimated.MemoryBytes.ShouldBe(804);
        estimated.Smaller.ShouldBe(
        [
            new SmallerStep("'calibration.batch: 1'", 801),
            new SmallerStep("'calibration.batch: 1' and 'batch: 1'", 101),
        ]);
    }

    [Fact]
    public async Task Estimate_StepThatIsSmallAlready_NamesNothing() =>
        (await EstimateAsync("""{"batch":1,"calibration":{"batch":1}}""")).Smaller.ShouldBeEmpty();

    [Fact]
    public async Task Estimate_OfAWorkerThatSaysWhatItHas_IsToldToTheStage()
    {
        var estimates = new StageEstimates([new Batches()], memoryOn: _ => 7);

        await estimates.EstimateAsync(Step("""{"batch":1,"calibration":{"batch":1}}"""), default);

        Batches.Told.ShouldBe(7);
    }

    private static async Task<StepEstimated> EstimateAsync(string options) =>
        (await new StageEstimates([new Batches()]).EstimateAsync(Step(options), default))!;

    private static EstimateStep Step(string options) => new()
    {
        Kind = "batches", Name = "a", Options = JsonSerializer.Deserialize<JsonElement>(options), Inputs = [],
    };

    /// <summary>A hundred bytes for a batch, and one for a batch of calibration.</summary>
    private sealed class Batches : IStageEstimate
    {
        public static long Told { get; private set; }

        public string Kind => "batches";

        public StepEstimate Estimate(EstimateRequest step)
        {
            Told = step.MemoryBytes;
            return new StepEstimate
            {
                MemoryBytes = 100 * step.Options.GetProperty("batch").GetInt64() + step.Options.GetProperty("calibration").GetProperty("batch").GetInt64(),
            };
        }

        public IEnumerable<JsonObject> Smaller(EstimateRequest step)
        {
            yield return new JsonObject { ["batch"] = 8 };
            yield return new JsonObject { ["calibration"] = new JsonObject { ["batch"] = 1 } };
            yield return new JsonObject { ["calibration"] = new JsonObject { ["batch"] = 1 }, ["batch"] = 1 };
        }
    }
}
