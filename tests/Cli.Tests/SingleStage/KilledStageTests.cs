using System.Diagnostics;
using Espalier.Cli.Hosting;
using Espalier.Cli.Progress;
using Espalier.Cli.SingleStage;
using Espalier.Contracts;
using Espalier.Platform;

namespace Espalier.Cli.Tests.SingleStage;

/// <summary>A stage command in its own process, killed without warning, then repeated.</summary>
public sealed class KilledStageTests : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(1);
    private readonly CliRun _cli = new();
    private readonly string _model;
    private readonly string _text;

    public KilledStageTests()
    {
        _model = TinyModel.Write(_cli.PathOf("in"));
        _text = _cli.Write(
            "text.txt",
            string.Join(
                "\n\n",
                Enumerable.Range(0, 400).Select(i => $"Paragraph {i} says that {i} plus {i} is {2 * i}, and that the word number {i % 17} comes next.")));
    }

    public void Dispose() => _cli.Dispose();

    [Theory]
    [InlineData("train", "tokens", """{"data":"file:TEXT","tokens":"40k","length":64,"batch":8,"learning-rate":1e-3,"checkpoint-steps":5,"seed":1}""")]
    [InlineData(
        "prune", "batches",
        """{"method":"heapr","ratio":0.25,"multiple-of":2,"calibration":{"data":"file:TEXT","samples":256,"length":64,"batch":4},"seed":1}""")]
    [InlineData("quantize", "layers", """{"method":"gptq","bits":4,"group-size":8,"calibration":{"data":"file:TEXT","samples":256,"length":64},"seed":1}""")]
    public async Task Stage_KilledInTheMiddle_GoesOnToTheSameBytes(string kind, string unit, string options)
    {
        var with = options.Replace("TEXT", _text, StringComparison.Ordinal);
        var undisturbed = new Board();
        await RunAsync(kind, with, "undisturbed", undisturbed);

        await KillAfterFirstPositionAsync(kind, with);
        Directory.Exists(_cli.PathOf("out")).ShouldBeFalse("half a result must not be visible");
        var resumed = new Board();
        await RunAsync(kind, with, "out", resumed);

        resumed.Lines.ShouldContain(line => line.StartsWith("Going on"));
        resumed.FirstDone(kind, unit).ShouldBeGreaterThan(undisturbed.FirstDone(kind, unit), "what was done before the kill is not done again");
        File.ReadAllBytes(_cli.PathOf("out/model.safetensors")).ShouldBe(File.ReadAllBytes(_cli.PathOf("undisturbed/model.safetensors")));
        Directory.EnumerateFileSystemEntries(_cli.PathOf("home/work")).ShouldBeEmpty();
        Directory.EnumerateFileSystemEntries(_cli.Folder, ".*").ShouldBeEmpty();
    }

    private async Task RunAsync(string kind, string with, string output, Board board)
    {
        var home = EspalierHome.OfThisProcess();
        await new StageRunner(home, StageRequest.Read(home, kind, [_model], _cli.PathOf(output), with)).RunAsync(board, CancellationToken.None);
    }

    private async Task KillAfterFirstPositionAsync(string kind, string with)
    {
        var start = new ProcessStartInfo(
            "dotnet", [typeof(CommandLine).Assembly.Location, "stage", kind, "--input", _model, "--output", _cli.PathOf("out"), "--with", with])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        using var limit = new CancellationTokenSource(Deadline);
        while (!HasPosition() && !process.HasExited)
            await Task.Delay(1, limit.Token);
        process.HasExited.ShouldBeFalse(process.HasExited ? await error : "");
        process.Kill();
        await process.WaitForExitAsync(limit.Token);
    }

    private bool HasPosition()
    {
        var work = new DirectoryInfo(_cli.PathOf("home/work"));
        return work.Exists
            && work.EnumerateDirectories()
                .Any(f =>
                    Directory.Exists(Path.Combine(f.FullName, "records", "cursors"))
                        && Directory.EnumerateFiles(Path.Combine(f.FullName, "records", "cursors")).Any());
    }

    private sealed class Board : IStepBoard
    {
        private readonly List<StepProgress> _readings = [];

        public List<string> Lines { get; } = [];

        /// <summary>How far the stage's own work was when it first said so.</summary>
        public long FirstDone(string stage, string unit) => _readings.First(r => r.Step.Name == stage && r.Unit == unit && r.Total > 0).Done;

        public void Change(StepNews step)
        {
        }

        public void Advance(StepProgress progress) => _readings.Add(progress);

        public void Say(string message) => Lines.Add(message);
    }
}
