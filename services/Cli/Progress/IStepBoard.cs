using Espalier.Contracts;

namespace Espalier.Cli.Progress;

/// <summary>Shows what steps do.</summary>
internal interface IStepBoard
{
    /// <summary>A step came into another state.</summary>
    void Change(StepNews step);

    /// <summary>A running step got on.</summary>
    void Advance(StepProgress progress);

    /// <summary>A line for people.</summary>
    void Say(string message);
}

/// <summary>A step's new state.</summary>
/// <param name="Name">The step.</param>
/// <param name="Kind">Stage kind.</param>
/// <param name="State">Its state.</param>
/// <param name="Attempt">Which attempt.</param>
/// <param name="Message">Why, for failures and skips.</param>
/// <param name="Took">How long it took, when it ended.</param>
internal sealed record StepNews(string Name, string Kind, StepState State, int Attempt, string Message, TimeSpan? Took);
