using System.CommandLine;
using System.Globalization;
using Espalier.Cli;
using Espalier.Cli.Commands;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.RealSize;
using Spectre.Console;

namespace Espalier.Bench;

/// <summary><c>espalier bench real-size</c>: a made checkpoint of 6.9 billion weights through every stage.</summary>
internal static class RealSizeCommand
{
    /// <summary>Name of the command that a measured process runs.</summary>
    public const string Child = "real-size-stage";

    private const long Gigabyte = 1_000_000_000;

    private const string About = """
        Make a checkpoint of the shape of OLMoE-1B-7B (6.9 billion random weights, 13.8 GB in bf16), take it through upcycle, prune, quantize,
        evaluate (2,000 tokens) and export, each in a process of its own, and print time, peak resident memory and bytes of each. Takes
        about 55 GB of disk, which are free again at the end. Exit code 1 when a stage takes more than --most.

          espalier bench real-size
          espalier bench real-size --scale 16
        """;

    public static Command Create(Terminal terminal)
    {
        var scale = new Option<int>("--scale") { Description = "Divides widths, layers, experts and vocabulary: 1 to 64.", DefaultValueFactory = _ => 1 };
        var layers = new Option<int?>("--layers") { Description = "Layers in place of 16: the time goes with them, the memory of a stage hardly." };
        var folder = new Option<string>("--folder")
        {
            Description = "Where to work; a new folder in it is used.", DefaultValueFactory = _ => Path.GetTempPath(),
        };
        var method = new Option<string>("--quantize") { Description = "rtn, or gptq, which takes hours at full size.", DefaultValueFactory = _ => "rtn" };
        var most = new Option<double>("--most") { Description = "Most resident memory of a stage, in GB.", DefaultValueFactory = _ => 12 };
        var json = SharedOptions.Json();
        var command = new Command("real-size", About) { scale, layers, folder, method, most, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var divisor = parsed.GetValue(scale) is >= 1 and <= 64 and var given ? given : throw new UserInputException("--scale: expected 1 to 64.");
            var quantizer = parsed.GetRequiredValue(method);
            if (quantizer is not ("rtn" or "gptq"))
                throw new UserInputException("--quantize: expected rtn or gptq.");
            var depth = parsed.GetValue(layers) is not { } many ? null : many is >= 1 and <= 16 ? (int?)many
                : throw new UserInputException("--layers: expected 1 to 16.");
            var result = await RunAsync(
                parsed.GetRequiredValue(folder), child => new RealSizeRun(child.Folder, divisor, depth, quantizer, child.Command, terminal.Say),
                cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(result);
            else
                Write(terminal, result);
            var limit = (long)(parsed.GetValue(most) * Gigabyte);
            var above = result.Rows.Where(row => row.PeakBytes > limit).ToList();
            above.ForEach(row => terminal.Say($"{row.Stage} took {Gigabytes(row.PeakBytes)} of memory, more than {Gigabytes(limit)}."));
            return above.Count == 0 ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }

    /// <summary>What the command starts for each stage.</summary>
    public static Command CreateChild(Terminal terminal)
    {
        var command = new Command(Child, "Measured process of real-size.") { Hidden = true };
        command.SetAction(async (_, cancellationToken) =>
        {
            await StageChild.RunAsync(Console.In, terminal.Output, phase => terminal.Say($"  {phase}"), cancellationToken).ConfigureAwait(false);
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<RealSizeResult> RunAsync(
        string parent, Func<(string Folder, IReadOnlyList<string> Command), RealSizeRun> make, CancellationToken cancellationToken)
    {
        var folder = Path.Combine(Path.GetFullPath(parent), $"espalier-real-size-{Guid.NewGuid():n}");
        try
        {
            return await make((folder, [.. BenchProcess.OwnCommand(), "bench", Child])).RunAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (StageRunException e)
        {
            throw new UserInputException(e.Message, e);
        }
        finally
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
    }

    private static void Write(Terminal terminal, RealSizeResult result)
    {
        terminal.Output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{result.Parameters / 1e9:0.000} billion weights, {Environment.ProcessorCount} processors"));
        var table = new Table().MarkdownBorder().AddColumn("stage");
        foreach (var heading in new[] { "time", "peak memory", "planned memory", "result", "new on disk" })
            table.AddColumn(new TableColumn(heading).RightAligned().NoWrap());
        foreach (var row in result.Rows)
        {
            table.AddRow(
                row.Stage, string.Create(CultureInfo.InvariantCulture, $"{row.Seconds:0} s"), Gigabytes(row.PeakBytes),
                row.EstimatedBytes is { } planned ? Gigabytes(planned) : "-", Gigabytes(row.Bytes), Gigabytes(row.NewBytes));
        }
        terminal.Write(table);
        var estimates = result.Metrics.Where(m => !m.Key.EndsWith("-low", StringComparison.Ordinal) && !m.Key.EndsWith("-high", StringComparison.Ordinal));
        foreach (var (name, value) in estimates.OrderBy(m => m.Key, StringComparer.Ordinal))
            terminal.Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name} = {value:G6}"));
    }

    private static string Gigabytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)Gigabyte:0.00} GB");
}
