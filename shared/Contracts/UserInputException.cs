namespace Espalier.Contracts;

/// <summary>
/// The user's input is wrong: a file, an option, a checkpoint, a message. The text names the place and the remedy;
/// it is shown as it is, without a stack trace, and the work is never tried again.
/// </summary>
public sealed class UserInputException : Exception
{
    /// <summary>One problem without a line.</summary>
    public UserInputException(string message, Exception? innerException = null) : base(message, innerException) =>
        Problems = [new Problem("input", 0, 0, message)];

    /// <summary>Several problems with their places.</summary>
    public UserInputException(IReadOnlyList<Problem> problems) : base(string.Join(Environment.NewLine, problems)) =>
        Problems = problems;

    /// <summary>Everything that is wrong.</summary>
    public IReadOnlyList<Problem> Problems { get; }
}
