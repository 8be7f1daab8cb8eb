using System.CommandLine;
using System.Text.Json;
using Espalier.Cli;
using Espalier.Cli.Terminals;

namespace Espalier.Bench.Tests;

/// <summary>The command with the smallest budget: one turn of each side.</summary>
public sealed class BenchCommandTests
{
    [Fact]
    public async Task Train_OneShape_ComparesWithTheFasterPeerAndNamesIt()
    {
        var result = await RunAsync("bench", "train", "--shape", "tiny", "--pairs", "1", "--json");

        result.GetProperty("ratio").GetDouble().ShouldBeGreaterThan(0);
        result.GetProperty("peer").GetString()!.ShouldMatch("^(libtorch-2|pytorch-)");
        result.GetProperty("peer-mode").GetString().ShouldBeOneOf("fp32", "bf16");
        result.GetProperty("peer-loss").GetDouble().ShouldBe(Math.Log(256), 0.5);
        result.GetProperty("peer-tokens-per-second").GetDouble().ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task Calibrate_Alone_NamesNoPeer()
    {
        var result = await RunAsync("bench", "calibrate", "--shape", "tiny", "--pairs", "1", "--alone", "--json");

        result.GetProperty("tokens-per-second").GetDouble().ShouldBeGreaterThan(0);
        (result.TryGetProperty("peer", out var peer) && peer.ValueKind != JsonValueKind.Null).ShouldBeFalse();
    }

    private static async Task<JsonElement> RunAsync(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(8));
        var terminal = new Terminal(output, error, isInteractive: false);
        var code = await CommandLine.RunAsync(new RootCommand { BenchCommand.Create(terminal) }, args, terminal, limit.Token);
        code.ShouldBe(0, error.ToString());
        return JsonSerializer.Deserialize<JsonElement>(output.ToString()).GetProperty("results")[0];
    }
}
