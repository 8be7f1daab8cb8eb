namespace Espalier.Contracts;

/// <summary>
/// How large the parts of a message may be, so that no message is larger than <see cref="MostBytes"/>. What is larger
/// travels by the artifact store.
/// </summary>
public static class MessageLimits
{
    /// <summary>Bytes of a message as JSON.</summary>
    public const int MostBytes = 32 << 10;

    /// <summary>Characters of a pipeline file in <see cref="SubmitRun"/>.</summary>
    public const int LongestPipeline = 12 << 10;

    /// <summary>Inputs in a <see cref="StepAssignment"/>.</summary>
    public const int MostInputs = 64;

    /// <summary>Outputs and metrics together in a <see cref="StepFinished"/>.</summary>
    public const int MostEntries = 128;

    /// <summary>Characters of all the notes in a <see cref="StepFinished"/>.</summary>
    public const int MostNoteCharacters = 6000;

    /// <summary>Notes in a <see cref="StepFinished"/>.</summary>
    public const int MostNotes = 32;

    /// <summary>Characters of a text that is shown, such as a failure message.</summary>
    public const int LongestText = 4000;

    /// <summary>Characters of one line of a step's log.</summary>
    public const int LongestLine = 500;

    /// <summary>Characters of all the lines in one <see cref="StepProgress"/>.</summary>
    public const int MostLogCharacters = 6500;

    /// <summary>Metrics in one <see cref="StepProgress"/>.</summary>
    public const int MostMetrics = 128;

    /// <summary>Experts of all layers together in the load of one <see cref="StepProgress"/>.</summary>
    public const int MostLoadCells = 512;

    /// <summary>Problems in a <see cref="RunRejected"/>.</summary>
    public const int MostProblems = 30;

    /// <summary>The text, cut when it is longer than <see cref="LongestText"/>.</summary>
    public static string Cut(string text) => text.Length <= LongestText ? text : text[..(LongestText - 1)] + "…";
}
