using System.CommandLine;
using System.Text.Json;
using Espalier.Cli;
using Espalier.Cli.Terminals;
using Espalier.RealSize;

namespace Espalier.Bench.Tests;

/// <summary>The run of real size, with a shape that takes seconds.</summary>
public sealed class RealSizeTests
{
    [Fact]
    public void Config_FullScale_IsOlmoe1B7B()
    {
        var config = RealSizeModel.Config(1);

        config.TotalParameters.ShouldBe(6_919_161_856); // as published
        config.ActiveParameters.ShouldBeInRange(1_280_000_000, 1_300_000_000);
        (config.Layers, config.Experts, config.ExpertsPerToken, config.HeadSize).ShouldBe((16, 64, 8, 128));
    }

    [Fact]
    public async Task RealSize_SmallScale_GoesThroughEveryStageAndLeavesNothing()
    {
        var folder = Directory.CreateTempSubdirectory("espalier-real-size-test-");
        using var output = new StringWriter();
        using var error = new StringWriter();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        var terminal = new Terminal(output, error, isInteractive: false);

        var code = await CommandLine.RunAsync(
            new RootCommand { BenchCommand.Create(terminal) }, ["bench", "real-size", "--scale", "64", "--folder", folder.FullName, "--json"],
            terminal, limit.Token);

        code.ShouldBe(0, error.ToString());
        var result = JsonSerializer.Deserialize<JsonElement>(output.ToString());
        result.GetProperty("rows").EnumerateArray().Select(row => row.GetProperty("stage").GetString())
            .ShouldBe(["make", "upcycle", "prune", "quantize", "evaluate", "export, pruned", "export, quantized"]);
        result.GetProperty("rows").EnumerateArray().ShouldAllBe(row => row.GetProperty("peak-bytes").GetInt64() > 1 << 20);
        result.GetProperty("metrics").GetProperty("quantized.loss").GetDouble().ShouldBe(Math.Log(RealSizeModel.Config(64).VocabularySize), 0.5);
        result.GetProperty("metrics").GetProperty("pruned.scored-tokens").GetDouble().ShouldBe(2000);
        folder.EnumerateFileSystemInfos().ShouldBeEmpty();
        folder.Delete();
    }
}
