using Espalier.Cli.Terminals;
using Espalier.Contracts;

namespace Espalier.Cli.Progress;

/// <summary>Lines for files and pipes: every change of state, and progress now and then.</summary>
internal sealed class PlainBoard(Terminal terminal, TimeProvider time) : IStepBoard
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);
    private readonly Dictionary<string, Row> _rows = [];
    private readonly LogLines _lines = new();

    public void Change(StepNews step)
    {
        if (!step.IsQuiet)
            terminal.Say(ProgressText.Describe(step));
        if (step.State is StepState.Running)
            _rows[step.Name] = new Row(new RateMeter(time), time.GetTimestamp());
    }

    public void Advance(StepProgress progress)
    {
        if (!_rows.TryGetValue(progress.Step.Name, out var row))
            _rows[progress.Step.Name] = row = new Row(new RateMeter(time), time.GetTimestamp());
        var rate = row.Rate.Add(progress);
        foreach (var line in _lines.Of(progress))
            terminal.Say(line);
        if (time.GetElapsedTime(row.Said) < Interval)
            return;
        _rows[progress.Step.Name] = row with { Said = time.GetTimestamp() };
        terminal.Say($"{progress.Step.Name}: {progress.Phase}, {ProgressText.Describe(progress, rate)}");
    }

    public void Say(string message) => terminal.Say(message);

    private sealed record Row(RateMeter Rate, long Said);
}
