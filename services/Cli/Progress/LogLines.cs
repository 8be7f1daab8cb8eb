using Espalier.Contracts;

namespace Espalier.Cli.Progress;

/// <summary>
/// The lines of running steps for people who watch. A note that holds for a model holds for what is made of it, and every step says
/// so in its log; here it is told once, by the first step that has it.
/// </summary>
internal sealed class LogLines
{
    private readonly HashSet<string> _notes = new(StringComparer.Ordinal);

    /// <summary>The lines of a step that are worth showing, each with the step's name.</summary>
    public IEnumerable<string> Of(StepProgress progress) =>
        from line in progress.Log
        where !line.StartsWith(StepProgress.NotePrefix, StringComparison.Ordinal) || _notes.Add(line)
        select $"{progress.Step.Name}: {line}";
}
