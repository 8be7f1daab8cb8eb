using System.Globalization;
using Espalier.Cli.Terminals;
using Espalier.Contracts;

namespace Espalier.Cli.Progress;

/// <summary>Progress as text.</summary>
internal static class ProgressText
{
    /// <summary><c>1.20M of 5.00M tokens, 12.3k/s, 5m10s left, loss 3.214, 2.95 ± 0.08 expected at the end</c>.</summary>
    public static string Describe(StepProgress progress, double rate)
    {
        var parts = new List<string>();
        if (progress.Total > 0)
            parts.Add($"{Amounts.Count(progress.Done)} of {Amounts.Count(progress.Total)} {progress.Unit}");
        if (rate > 0)
            parts.Add($"{Amounts.Count(rate)}/s");
        if (rate > 0 && progress.Total > progress.Done)
            parts.Add($"{Amounts.Time(TimeSpan.FromSeconds(Math.Min(1e7, (progress.Total - progress.Done) / rate)))} left");
        if (progress.Metrics.TryGetValue("loss", out var loss))
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"loss {loss:0.000}"));
        if (progress.Total > progress.Done && progress.Metrics.TryGetValue("expected-final-loss", out var expected)
            && progress.Metrics.TryGetValue("expected-final-loss-high", out var high))
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"{expected:0.00} ± {high - expected:0.00} expected at the end"));
        return string.Join(", ", parts);
    }

    /// <summary>The state of a step as one line.</summary>
    public static string Describe(StepNews step)
    {
        if (step.IsRetry)
            return $"{step.Name} ({step.Kind}): attempt {step.Attempt} failed and is retried: {step.Message}";
        var word = step.State.ToString().ToLowerInvariant();
        var took = step.Took is { } time && step.State == StepState.Succeeded ? $" in {Amounts.Time(time)}" : "";
        var attempt = step is { Attempt: > 1, State: StepState.Running } ? $" (attempt {step.Attempt})" : "";
        return $"{step.Name} ({step.Kind}): {word}{attempt}{took}{(step.Message.Length > 0 ? ": " + step.Message : "")}";
    }
}
