using System.Collections.Concurrent;
using Espalier.Contracts;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Espalier.Cli.Progress;

/// <summary>Bars with rate and time left for running steps; steps that ended move up as lines.</summary>
internal sealed class LiveBoard : IStepBoard
{
    private readonly IAnsiConsole _console;
    private readonly ProgressContext _context;
    private readonly DetailColumn _details;
    private readonly TimeProvider _time;
    private readonly Dictionary<string, (ProgressTask Task, RateMeter Rate)> _rows = [];
    private readonly LogLines _lines = new();

    private LiveBoard(IAnsiConsole console, ProgressContext context, DetailColumn details, TimeProvider time)
    {
        _details = details;
        _console = console;
        _context = context;
        _time = time;
    }

    /// <summary>Draws the board while work is running.</summary>
    public static Task<T> DrawAsync<T>(IAnsiConsole console, TimeProvider time, Func<IStepBoard, Task<T>> work)
    {
        var details = new DetailColumn();
        return console.Progress()
            .AutoClear(true).HideCompleted(true)
            .Columns(
                new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn { Width = 30 }, new PercentageColumn(), details,
                new SpinnerColumn())
            .StartAsync(context => work(new LiveBoard(console, context, details, time)));
    }

    public void Change(StepNews step)
    {
        if (step.IsQuiet)
            return;
        if (step.State == StepState.Running)
        {
            RowOf(step.Name);
            return;
        }
        if (_rows.Remove(step.Name, out var row))
            row.Task.StopTask();
        var color = step.State switch
        {
            StepState.Succeeded => "green",
            StepState.Cached => "blue",
            StepState.Failed => "red",
            StepState.Ready => "yellow",
            _ => "grey",
        };
        _console.MarkupLine($"[{color}]●[/] {Markup.Escape(ProgressText.Describe(step))}");
    }

    public void Advance(StepProgress progress)
    {
        var (task, rate) = RowOf(progress.Step.Name);
        task.Description = $"{Markup.Escape(progress.Step.Name)} [grey]{Markup.Escape(progress.Phase)}[/]";
        task.IsIndeterminate = progress.Total == 0;
        // A task at 100 % would disappear while the step still writes its result.
        task.MaxValue = Math.Max(1, progress.Total) * 1.000001;
        task.Value = progress.Done;
        _details.Set(task, ProgressText.Describe(progress, rate.Add(progress)));
        foreach (var line in _lines.Of(progress))
            _console.MarkupLine($"  [grey]{Markup.Escape(line)}[/]");
    }

    public void Say(string message) => _console.MarkupLine(Markup.Escape(message));

    private (ProgressTask Task, RateMeter Rate) RowOf(string name)
    {
        if (!_rows.TryGetValue(name, out var row))
        {
            row = (_context.AddTask(Markup.Escape(name), new ProgressTaskSettings { MaxValue = 1 }), new RateMeter(_time));
            row.Task.IsIndeterminate = true;
            _rows[name] = row;
        }
        return row;
    }

    /// <summary>Amount, rate, time left and loss.</summary>
    private sealed class DetailColumn : ProgressColumn
    {
        private readonly ConcurrentDictionary<int, string> _texts = new();

        public void Set(ProgressTask task, string text) => _texts[task.Id] = text;

        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
            new Text(_texts.GetValueOrDefault(task.Id, "")).Overflow(Overflow.Ellipsis);
    }
}
