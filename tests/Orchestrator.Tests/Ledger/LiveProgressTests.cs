using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Scheduling;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Ledger;

public sealed class LiveProgressTests : IDisposable
{
    private readonly LedgerFixture _ledger = new();

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public async Task Take_TrainingForADay_IsInTheLogEveryTenSecondsAtFirstAndInSomeHundredLinesInAll()
    {
        var run = await _ledger.SubmitAsync("base");
        var live = new LiveProgress(_ledger.Database, _ledger.Clock);
        for (var second = 0; second <= 24 * 3600; second += 5)
        {
            await live.TakeAsync(Progress(run, second, "training"), default);
            _ledger.Clock.Advance(TimeSpan.FromSeconds(5));
        }

        var lines = await RunLog.ReadAsync(_ledger.Reader, run, new RunLogQuery { Search = "tokens" }, default);

        lines.Count.ShouldBeInRange(100, 500);
        lines.Take(4).Select(l => l.Text).ShouldBe(
        [
            "training: 10,000 of 86,400,000 tokens, loss 2.500", "training: 20,000 of 86,400,000 tokens, loss 2.500",
            "training: 30,000 of 86,400,000 tokens, loss 2.500", "training: 40,000 of 86,400,000 tokens, loss 2.500",
        ]);
        lines.ShouldAllBe(l => l.Step == "base" && l.Attempt == 1 && l.Level == LogLineLevel.Info);
    }

    [Fact]
    public async Task Take_ShortStep_WritesOnlyWhatTheStageSays()
    {
        var run = await _ledger.SubmitAsync("base");
        var live = new LiveProgress(_ledger.Database, _ledger.Clock);
        await live.TakeAsync(Progress(run, 1, "training") with { Log = ["Note: the text is short."] }, default);
        await live.TakeAsync(Progress(run, 2, "saving"), default);

        var lines = await RunLog.ReadAsync(_ledger.Reader, run, new RunLogQuery { Step = "base", Level = LogLineLevel.Info }, default);

        lines.Where(l => l.Text.Contains("tokens", StringComparison.Ordinal)).ShouldBeEmpty();
        (await RunLog.ReadAsync(_ledger.Reader, run, new RunLogQuery { Level = LogLineLevel.Warning }, default))
            .ShouldHaveSingleItem().Text.ShouldBe("Note: the text is short.");
    }

    private static StepProgress Progress(Guid run, long second, string phase) => new()
    {
        Step = new StepAddress(run, "base", default),
        Fence = 1,
        Phase = phase,
        Done = second * 1000,
        Total = 24 * 3600 * 1000,
        Unit = "tokens",
        Metrics = new Dictionary<string, double> { ["loss"] = 2.5 },
    };
}
