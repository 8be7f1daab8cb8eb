using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Ledger;

public sealed class RunNameTests
{
    [Fact]
    public async Task Submit_ManyAtOnce_CountsEachName()
    {
        using var ledger = new LedgerFixture();
        await NameChecks.ManyAtOnceAsync(ledger);
    }

    [Fact]
    public async Task Archive_KeepsNames_AndGivesNoNumberTwice()
    {
        using var ledger = new LedgerFixture(new OrchestratorOptions { RunHistory = TimeSpan.Zero });
        await NameChecks.ArchivedAsync(ledger);
    }

    [Theory]
    [InlineData("tiny#12", "tiny", 12)]
    [InlineData("tiny #12", "tiny", 12)]
    [InlineData("a#b#3", "a#b", 3)]
    public void ByLabel_NameAndNumber(string text, string name, long ordinal) =>
        RunQuery.ByLabel(text).ShouldBe(new RunQuery { Name = name, Ordinal = ordinal, Limit = 1 });

    [Theory]
    [InlineData("0199c2f4")]
    [InlineData("#3")]
    [InlineData("tiny#")]
    [InlineData("tiny#-1")]
    [InlineData("tiny#1e3")]
    public void ByLabel_AnythingElse_IsNone(string text) => RunQuery.ByLabel(text).ShouldBeNull();
}
