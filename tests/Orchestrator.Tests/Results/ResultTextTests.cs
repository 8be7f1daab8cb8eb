using Espalier.Orchestrator.Results;

namespace Espalier.Orchestrator.Tests.Results;

public sealed class ResultTextTests
{
    [Theory]
    [InlineData(0.01234, "+0.0123")]
    [InlineData(-0.01236, "-0.0124")]
    [InlineData(0.00006, "+0.0001")]
    [InlineData(-0.00004, "0.0000")]
    [InlineData(0.00004, "0.0000")]
    [InlineData(-0.0, "0.0000")]
    public void Signed_Differences_HaveTheSignOfWhatIsShown(double value, string expected) => ResultText.Signed(value).ShouldBe(expected);
}
