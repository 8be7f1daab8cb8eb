using System.CommandLine;
using System.Globalization;
using Espalier.Cli;
using Espalier.Cli.Commands;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.RealSize;

namespace Espalier.Bench;

/// <summary><c>espalier bench text</c>: made text through the dataset stage.</summary>
internal static class TextStreamCommand
{
    private const string About = """
        Make a JSONL file of made text, packed with zstd, and stream it through the dataset stage in a process of its own: cleaned, without exact
        duplicates, split, stored. Prints text per second and peak resident memory, beside that of the same process with 1 MB of text. Takes about
        2.5 times the text of disk, which is free again at the end. Exit code 1 when memory grows by more than --most.

          espalier bench text --size 500MB
          espalier bench text --size 20GB --folder /mnt/scratch --most 2GiB
        """;

    public static Command Create(Terminal terminal)
    {
        var size = new Option<string>("--size") { Description = "Bytes of text, such as 500MB or 20GB.", DefaultValueFactory = _ => "500MB" };
        var folder = new Option<string>("--folder")
        {
            Description = "Where to work; a new folder in it is used.", DefaultValueFactory = _ => Path.GetTempPath(),
        };
        var most = new Option<string>("--most") { Description = "Most memory above that with 1 MB of text.", DefaultValueFactory = _ => "1GiB" };
        var json = SharedOptions.Json();
        var command = new Command("text", About) { size, folder, most, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (bytes, limit) = (Size(parsed.GetRequiredValue(size), "--size"), Size(parsed.GetRequiredValue(most), "--most"));
            var result = await RunAsync(parsed.GetRequiredValue(folder), bytes, terminal, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(result);
            else
                Write(terminal, result);
            var grown = result.PeakBytes - result.BaseBytes;
            if (grown <= limit)
                return ExitCodes.Done;
            terminal.Say($"Memory grew by {Amounts.Bytes(grown)}, more than {Amounts.Bytes(limit)}.");
            return ExitCodes.Failed;
        });
        return command;
    }

    private static long Size(string text, string option) => Units.ReadSize(text, out var bytes) is null && bytes > 0
        ? bytes
        : throw new UserInputException($"{option}: expected bytes with a unit, such as 500MB or 2GiB; found '{text}'.");

    private static async Task<TextStreamResult> RunAsync(string parent, long bytes, Terminal terminal, CancellationToken cancellationToken)
    {
        var folder = Path.Combine(Path.GetFullPath(parent), $"espalier-text-{Guid.NewGuid():n}");
        try
        {
            var run = new TextStreamRun(folder, [.. BenchProcess.OwnCommand(), "bench", RealSizeCommand.Child], terminal.Say);
            return await run.RunAsync(bytes, cancellationToken).ConfigureAwait(false);
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

    private static void Write(Terminal terminal, TextStreamResult result) => terminal.Output.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"text: {result.TextBytes / 1e6:0} MB in {result.Documents:N0} documents ({result.FileBytes / 1e6:0} MB packed) in {result.Seconds:0.0} s: ")
        + string.Create(CultureInfo.InvariantCulture, $"{result.MegabytesPerSecond:0.0} MB/s; peak memory {Amounts.Bytes(result.PeakBytes)}, ")
        + $"with 1 MB of text {Amounts.Bytes(result.BaseBytes)}");
}
