using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Ledger;

/// <summary>Random histories with duplicates, stale fences, lost workers, cancels and resumes: the ledger's promises hold after every event.</summary>
public sealed class LedgerPropertyTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public async Task History_RandomEvents_KeepsInvariantsAndEnds(int seed)
    {
        using var ledger = new LedgerFixture(new OrchestratorOptions { LossLimit = 100 });
        await LedgerHistory.RunAsync(ledger, seed);
    }
}
