using Espalier.Cli.Progress;
using Espalier.Contracts;

namespace Espalier.Cli.Tests.Progress;

public sealed class LogLinesTests
{
    private readonly LogLines _lines = new();

    [Fact]
    public void Of_NoteThatSeveralStepsHave_IsToldOnce()
    {
        Of("base", "fiction: 44 documents", "Note: the bias has no place").ShouldBe(["base: fiction: 44 documents", "base: Note: the bias has no place"]);
        Of("cpt", "fiction: 44 documents", "Note: the bias has no place", "Note: another").ShouldBe(["cpt: fiction: 44 documents", "cpt: Note: another"]);
    }

    private IEnumerable<string> Of(string step, params string[] log) =>
        [.. _lines.Of(new StepProgress { Step = new StepAddress(Guid.Empty, step, Digest.Of("key"u8)), Fence = 1, Log = log })];
}
