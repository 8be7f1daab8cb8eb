using Espalier.Contracts;

namespace Espalier.Cli.Progress;

/// <summary>Shows the progress of a run's steps.</summary>
internal interface IStepBoard
{
    /// <summary>Shows a step's new state.</summary>
    void Change(StepNews step);

    /// <summary>Shows how far a running step is.</summary>
    void Advance(StepProgress progress);

    /// <summary>Shows a message.</summary>
    void Say(string message);
}

/// <summary>A step's new state.</summary>
/// <param name="Name">The step.</param>
/// <param name="Kind">Stage kind.</param>
/// <param name="State">Its state.</param>
/// <param name="Attempt">Which attempt.</param>
/// <param name="Message">Why, for failures, skips and waits.</param>
/// <param name="Took">How long it took, once it has ended.</param>
internal sealed record StepNews(string Name, string Kind, StepState State, int Attempt, string Message, TimeSpan? Took)
{
    /// <summary>Whether an attempt has failed and another will follow.</summary>
    public bool IsRetry => State == StepState.Ready && Attempt > 0 && Message.Length > 0;

    /// <summary>Whether there is nothing to tell: it waits for what goes by, or for its turn.</summary>
    public bool IsQuiet => this is { State: StepState.Waiting or StepState.Ready, Message: "" };
}
