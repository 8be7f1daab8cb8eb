using Espalier.Contracts;
using Espalier.Stages;
using Espalier.TestKit.Models;

namespace Espalier.Pruner.Tests.Calibration;

/// <summary>Samples are taken until every expert has its tokens; what that ends with is reported, or refused.</summary>
public sealed class CoverageTests
{
    private const int Unreachable = 1_000_000;

    [Theory]
    [InlineData("heapr")]
    [InlineData("camera-p")]
    [InlineData("reap")]
    public async Task Run_UntilTheLimit_ScoresAsIfAllSamplesHadBeenTakenAtOnce(string method)
    {
        using var tiny = await CreateAsync();

        var inRounds = await RunAsync(tiny, method, $"\"samples\":2,\"tokens-per-expert\":{Unreachable},\"max-samples\":8", "\"max-fallback\":1,");
        var atOnce = await RunAsync(tiny, method, "\"samples\":8");

        inRounds.Outputs["model"].ShouldBe(atOnce.Outputs["model"]);
        (await tiny.ReportAsync(inRounds, "scores.json")).GetRawText().ShouldBe((await tiny.ReportAsync(atOnce, "scores.json")).GetRawText());
        (await tiny.ReportAsync(inRounds)).GetProperty("calibration").GetProperty("samples").GetInt32().ShouldBe(8);
    }

    [Fact]
    public async Task Run_UntilEveryExpertIsSeen_StopsThereAndReportsTheTokens()
    {
        using var tiny = await CreateAsync();
        var most = await LeastTokensAsync(await RunAsync(tiny, "reap", "\"samples\":16"), tiny);

        var result = await RunAsync(tiny, "reap", $"\"samples\":2,\"tokens-per-expert\":{most / 4},\"max-samples\":16");

        var report = await tiny.ReportAsync(result);
        var samples = report.GetProperty("calibration").GetProperty("samples").GetInt32();
        samples.ShouldBeOneOf(2, 4, 8);
        (await LeastTokensAsync(result, tiny)).ShouldBeGreaterThanOrEqualTo(most / 4);
        foreach (var layer in report.GetProperty("coverage").GetProperty("layers").EnumerateArray())
            layer.GetProperty("tokens").EnumerateArray().Sum(t => t.GetInt64()).ShouldBe(samples * 32 * 2);
        report.GetProperty("coverage").GetProperty("fallbacks").GetInt32().ShouldBe(0);
        result.Notes.ShouldBeEmpty();
    }

    [Fact]
    public async Task Run_TextUsedUpBeforeEveryExpertIsSeen_IsRefusedAndUsesNoTokenTwice()
    {
        using var tiny = await CreateAsync();

        var error = await Should.ThrowAsync<UserInputException>(() => RunAsync(
            tiny, "heapr", $"\"samples\":4,\"tokens-per-expert\":{Unreachable},\"max-samples\":5000"));
        var allowed = await RunAsync(tiny, "heapr", $"\"samples\":4,\"tokens-per-expert\":{Unreachable},\"max-samples\":5000", "\"max-fallback\":1,");

        error.Message.ShouldContain("max-fallback");
        error.Message.ShouldContain("8 of 8 experts");
        var text = (await tiny.ReportAsync(allowed)).GetProperty("calibration");
        text.GetProperty("samples").GetInt64().ShouldBe(text.GetProperty("text-tokens").GetInt64() / 32);
        allowed.Notes.ShouldContain(note => note.Contains("none is used twice", StringComparison.Ordinal));
        allowed.Notes.ShouldContain(note => note.StartsWith("The calibration text told too little of 8 experts", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(7)]
    public async Task Run_KilledInAnyRound_GoesOnAndGivesTheSameModel(int after)
    {
        using var tiny = await CreateAsync();
        var options = $"\"samples\":2,\"tokens-per-expert\":{Unreachable},\"max-samples\":8";
        var expected = await RunAsync(tiny, "camera-p", options, "\"max-fallback\":1,");
        using var cancel = new CancellationTokenSource();
        tiny.Cursor.Position = null;
        var batches = 0;
        tiny.Progress.OnReport = (phase, _) =>
        {
            if (phase == "calibrating" && ++batches == after)
                cancel.Cancel();
        };
        await Should.ThrowAsync<OperationCanceledException>(
            () => new PruneStage().RunAsync(Context(tiny, "camera-p", options, "\"max-fallback\":1,"), cancel.Token));
        tiny.Progress.OnReport = null;
        tiny.Progress.Reports.Clear();

        var result = await new PruneStage().RunAsync(Context(tiny, "camera-p", options, "\"max-fallback\":1,"), default);

        result.Outputs.ShouldBe(expected.Outputs);
        tiny.Progress.Reports.Count(r => r.Phase == "calibrating").ShouldBeInRange(
            8 - after, 9 - after, "2 layers of 1, 1 and 2 batches; the batch that was cut off is done again at most");
    }

    [Theory]
    [InlineData("\"samples\":4,\"max-samples\":8", "'tokens-per-expert', which is not set")]
    [InlineData("\"samples\":4,\"tokens-per-expert\":9,\"max-samples\":2", "below 'samples'")]
    public async Task Run_LimitsThatContradict_SaysWhatWouldWork(string calibration, string remedy)
    {
        using var tiny = await CreateAsync();

        (await Should.ThrowAsync<UserInputException>(() => RunAsync(tiny, "heapr", calibration))).Message.ShouldContain(remedy);
    }

    private static async Task<long> LeastTokensAsync(StageResult result, TinyCheckpoint tiny) =>
        (await tiny.ReportAsync(result)).GetProperty("coverage").GetProperty("layers").EnumerateArray()
            .Min(layer => layer.GetProperty("tokens").EnumerateArray().Min(t => t.GetInt64()));

    private static Task<StageResult> RunAsync(TinyCheckpoint tiny, string method, string calibration, string more = "")
    {
        tiny.Cursor.Position = null;
        return new PruneStage().RunAsync(Context(tiny, method, calibration, more), default);
    }

    private static StageContext Context(TinyCheckpoint tiny, string method, string calibration, string more) => tiny.Context(
        $"{{\"method\":\"{method}\",\"ratio\":0.34,{more}\"calibration\":{{\"data\":\"file:words\",\"length\":32,\"batch\":2,{calibration}}}}}");

    private static async Task<TinyCheckpoint> CreateAsync()
    {
        var tiny = await TinyCheckpoint.CreateAsync();
        await tiny.AddCalibrationAsync();
        return tiny;
    }
}
