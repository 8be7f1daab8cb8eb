using System.Text.Json;
using System.Text.RegularExpressions;
using Espalier.Stages;

namespace Espalier.CptTrainer.Commands;

/// <summary>
/// What a program says while it runs. A line that is a JSON object is progress: <c>phase</c>, <c>done</c>, <c>total</c> and <c>unit</c> move
/// the bar, and every other number is a metric, of which the last value is in the step's result. Other lines go into the log.
/// </summary>
internal sealed partial class ProgramReports(IStageProgress progress)
{
    private const int MostMetrics = 200, ShownLines = 5, ShownCharacters = 300;

    private readonly Dictionary<string, double> _metrics = [];
    private readonly Queue<string> _last = new();
    private string _phase = "running";
    private string _unit = "";

    /// <summary>Last value of each metric.</summary>
    public IReadOnlyDictionary<string, double> Metrics => _metrics;

    /// <summary>The last lines that were not progress, for whoever asks why it failed.</summary>
    public string LastLines => string.Join(" | ", _last);

    /// <summary>Takes a line.</summary>
    public void Add(string line)
    {
        if (TryReadProgress(line))
            return;
        var shown = line.Length <= ShownCharacters ? line : line[..ShownCharacters] + "...";
        progress.Log(shown);
        _last.Enqueue(shown.Trim());
        if (_last.Count > ShownLines)
            _last.Dequeue();
    }

    /// <summary>Says something that the program did not say.</summary>
    public void Note(string text) => progress.Log(text);

    /// <summary>Shows that parts of the program do not run yet.</summary>
    public void Wait(int waiting, int all) => progress.Report($"waiting for {waiting} of {all} node(s)", 0, 0, "");

    private bool TryReadProgress(string line)
    {
        if (line.AsSpan().TrimStart() is not ['{', ..])
            return false;
        try
        {
            using var report = JsonDocument.Parse(line);
            var (done, total) = (0L, 0L);
            var moves = false;
            foreach (var property in report.RootElement.EnumerateObject())
            {
                switch (property.Name, property.Value.ValueKind)
                {
                    case ("phase", JsonValueKind.String):
                        (_phase, moves) = (Short(property.Value), true);
                        break;
                    case ("unit", JsonValueKind.String):
                        _unit = Short(property.Value);
                        break;
                    case ("done", JsonValueKind.Number):
                        (done, moves) = (Whole(property.Value), true);
                        break;
                    case ("total", JsonValueKind.Number):
                        total = Whole(property.Value);
                        break;
                    case (_, JsonValueKind.Number):
                        Measure(property.Name, property.Value.GetDouble());
                        break;
                }
            }
            if (moves)
                progress.Report(_phase, Math.Min(done, total), total, _unit);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private void Measure(string name, double value)
    {
        // Names as metrics have them everywhere; a program that counts its metrics without end does not fill the ledger.
        var kebab = name.Replace('_', '-').ToLowerInvariant();
        if (!double.IsFinite(value) || !MetricName().IsMatch(kebab) || (_metrics.Count >= MostMetrics && !_metrics.ContainsKey(kebab)))
            return;
        _metrics[kebab] = value;
        progress.Metric(kebab, value);
    }

    private static long Whole(JsonElement number) => (long)Math.Clamp(number.GetDouble(), 0, 1e15);

    private static string Short(JsonElement text) => text.GetString() is { Length: > 60 } name ? name[..60] : text.GetString()!;

    [GeneratedRegex("^[a-z][a-z0-9-]{0,63}$", RegexOptions.CultureInvariant)]
    private static partial Regex MetricName();
}
