using CsCheck;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Ledger;

/// <summary>Random histories with duplicates, stale fences, lost workers, cancels and resumes: the ledger's promises hold after every event.</summary>
public sealed class LedgerPropertyTests
{
    [Fact]
    public Task History_RandomEvents_KeepsInvariantsAndEnds() => LedgerHistory.Generate.SampleAsync(async events =>
    {
        using var ledger = new LedgerFixture(new OrchestratorOptions { LossLimit = 100 });
        await LedgerHistory.RunAsync(ledger, events);
    }, iter: 10);
}
