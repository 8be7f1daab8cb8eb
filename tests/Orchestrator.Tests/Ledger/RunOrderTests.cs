using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Ledger;

public sealed class RunOrderTests
{
    [Fact]
    public async Task List_InEveryOrder_PagesWithoutGapsOrRepeats()
    {
        using var ledger = new LedgerFixture();
        await OrderChecks.PagesAsync(ledger);
    }

    [Theory]
    [InlineData("created desc", RunOrderField.Created, true)]
    [InlineData("duration", RunOrderField.Duration, false)]
    [InlineData(" name  asc ", RunOrderField.Name, false)]
    public void TryParse_Order_IsRead(string text, RunOrderField field, bool isDescending)
    {
        RunOrder.TryParse(text, out var order).ShouldBeTrue();
        order.ShouldBe(new RunOrder(field, isDescending));
    }

    [Theory]
    [InlineData("")]
    [InlineData("size")]
    [InlineData("name down")]
    [InlineData("name desc desc")]
    [InlineData("name; drop table run")]
    public void TryParse_AnythingElse_IsNone(string text) => RunOrder.TryParse(text, out _).ShouldBeFalse();
}
