using Espalier.Cli.Terminals;
using System.Text.Json;
using Espalier.Bench;
using Espalier.Contracts;

namespace Espalier.Bench.Tests;

public class BenchTests
{
    [Fact]
    public void Shapes_Base_HasThePublishedSize()
    {
        var shape = BenchShape.All.Single(s => s.Name == "base");

        (shape.Config.TotalParameters / 1e6).ShouldBe(214, 1);
        shape.Tokens.ShouldBe(2048);
    }

    [Fact]
    public void StepFlops_Tiny_CountsEveryProductThreeTimes()
    {
        var shape = BenchShape.All.Single(s => s.Name == "tiny");

        // per token and layer: projections 4 H^2, experts 3 K H F, router E H, attention H S; then the head
        var perToken = 4 * (4 * 128 * 128 + 3 * 2 * 128 * 256 + 8 * 128 + 128 * 128) + 128 * 256;
        shape.StepFlops.ShouldBe(3.0 * 2 * perToken * 2048);
    }

    [Fact]
    public void Worker_AskedForSteps_AnswersWithTimesMemoryAndAFallingLoss()
    {
        using var output = new StringWriter();

        BenchWorker.Run(() => new BenchWork(BenchShape.All[0], BenchWorkKind.Train), new StringReader("1\n3\n"), output);

        var turns = output.ToString()
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonSerializer.Deserialize<BenchTurn>(line, WireJson.Options)!)
            .ToList();
        turns.Select(t => t.Seconds.Count).ShouldBe([1, 3]);
        turns[0].Loss.ShouldBe(Math.Log(256), 0.3);
        turns[1].StepBytes.ShouldBeGreaterThan(4 * 4 * BenchShape.All[0].Config.TotalParameters); // weights, gradients, moments
    }

    [Fact]
    public void GrowthCost_OfTwoResults_ComparesAddedTimeWithTraffic()
    {
        var peaks = new MachinePeaks(200, 190, 200, 2, MemoryGigabytes: 20) { NumericsClass = "test" };
        var added = 28.0 * (Parameters("small-64") - Parameters("small")) / 20e9;

        var cost = GrowthCost.Of(Result("small", seconds: 0.5), Result("small-64", seconds: 0.5 + 1.5 * added), peaks);

        cost.Ratio.ShouldBe(1.5, 1e-6);
    }

    [Fact]
    public void Tables_WithoutAPeer_HaveDashesWhereThereIsNothingToCompareWith()
    {
        var peaks = new MachinePeaks(200, 190, 200, 2, MemoryGigabytes: 20) { NumericsClass = "test" };
        using var output = new StringWriter();

        BenchTables.Write(new Terminal(output, TextWriter.Null, isInteractive: false), [Result("small", seconds: 0.5)]);
        var page = BenchMarkdown.Of(peaks, [Result("small", seconds: 0.5)], null, null);

        output.ToString().ShouldNotContain(" x ");
        output.ToString().ShouldNotContain("│ x");
        page.ShouldContain("| small | training step | - | - |");
        BenchTables.Times(null, "0.00").ShouldBe("-");
        BenchTables.Times(1.5, "0.00").ShouldBe("1.50x");
    }

    [Theory]
    [InlineData("VmHWM:\t  149110 kB", 149_110 * 1024L)]
    [InlineData("VmHWM:\t10176060 kB", 10_176_060 * 1024L)]
    public void BytesOf_NumbersOfAnyLength_AreRead(string line, long expected) => BenchWorker.BytesOf(line).ShouldBe(expected);

    [Theory]
    [InlineData("pytorch-1.13", "Killed.", "pytorch-1.13 gave no answer: Killed.")]
    [InlineData("pytorch-1.13", "ModuleNotFoundError: ", "pytorch-1.13 gave no answer: ModuleNotFoundError.")]
    [InlineData("pytorch-1.13", null, "pytorch-1.13 gave no answer: it took too long.")]
    [InlineData("ours", "out of memory..", "ours gave no answer: out of memory.")]
    public void NoAnswer_HasOneFullStopPerSentence(string side, string? lastError, string expected) =>
        SpeedComparison.NoAnswer(side, lastError).ShouldBe(expected);

    [Fact]
    public async Task Compare_PeerThatFails_IsLeftOutWithItsReason()
    {
        var peaks = new MachinePeaks(200, 190, 200, 2, MemoryGigabytes: 20) { NumericsClass = "test" };
        var (tiny, said) = (BenchShape.All[0], new List<string>());
        var gone = new Peer("gone", (_, kind, precision) => BenchProcess.Own(BenchWorker.EagerSide, tiny with { Name = "none" }, kind, precision));
        var eager = new Peer("eager", (shape, kind, precision) => BenchProcess.Own(BenchWorker.EagerSide, shape, kind, precision));

        var result = await new SpeedComparison(peaks, 1, [gone, eager], said.Add).RunAsync(tiny, BenchWorkKind.Calibrate, CancellationToken.None);

        result.Peer.ShouldBe("eager");
        result.Ratio.ShouldNotBeNull().ShouldBeGreaterThan(0);
        result.OtherPeers.ShouldNotBeNull().ShouldContain("gone gave no answer: --shape none");
        said[0].ShouldBe(result.OtherPeers);
    }

    [Fact]
    public void Markdown_OfAResult_HasOneRowForItAndNamesThePeer()
    {
        var peaks = new MachinePeaks(200, 190, 200, 2, MemoryGigabytes: 20) { NumericsClass = "test" };
        var result = Result("small", seconds: 0.5) with { Ratio = 1.5, Peer = "libtorch-2.10.0", PeerTokensPerSecond = 2731, PeerMode = "fp32" };

        var lines = BenchMarkdown.Of(peaks, [result], growth: null, load: null).Split('\n');

        var row = lines.Single(l => l.StartsWith("| small", StringComparison.Ordinal));
        row.ShouldContain("| libtorch-2.10.0 | 2,731 fp32 |");
        row.Count(c => c == '|').ShouldBe(lines.Single(l => l.StartsWith("|---", StringComparison.Ordinal)).Count(c => c == '|'));
    }

    private static long Parameters(string shape) => BenchShape.All.Single(s => s.Name == shape).Config.TotalParameters;

    private static SpeedResult Result(string shape, double seconds) => new()
    {
        Shape = shape,
        Work = BenchWorkKind.Train,
        Parameters = Parameters(shape),
        TokensPerSecond = 2048 / seconds,
        GemmShare = 0.5,
        PeakBytes = 1,
    };
}
