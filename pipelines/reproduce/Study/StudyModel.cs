namespace Espalier.Study;

/// <summary>One trained and scored model of a study, with all that was spent on it since the first token.</summary>
/// <param name="Step">Step that made it.</param>
/// <param name="Arm">The step's name without the seed: models of one arm differ only in the seed.</param>
/// <param name="Seed">The number at the end of the name.</param>
/// <param name="Grown">Arm of the step that grew it, or null.</param>
/// <param name="GrownAt">Tokens before it was grown, or null.</param>
/// <param name="Parameters">All weights.</param>
/// <param name="Tokens">Training tokens, ancestors included.</param>
/// <param name="Seconds">Wall time of the steps that trained and grew it, ancestors included.</param>
/// <param name="Operations">6 x active weights x tokens, ancestors included.</param>
/// <param name="Loss">Held-out loss, nats per token.</param>
public sealed record StudyModel(
    string Step, string Arm, string Seed, string? Grown, double? GrownAt, double Parameters, double Tokens, double Seconds, double Operations, double Loss)
{
    /// <summary>What else the evaluation measured, by name: losses on single domains, how unevenly experts are used.</summary>
    public IReadOnlyDictionary<string, double> Measured { get; init; } = new Dictionary<string, double>();
}

/// <summary>One arm: the same recipe under several seeds.</summary>
/// <param name="Name">Step name without the seed.</param>
/// <param name="Models">One per seed, by seed.</param>
public sealed record StudyArm(string Name, IReadOnlyList<StudyModel> Models)
{
    /// <summary>The model of the first seed; tokens and sizes are the same for all.</summary>
    public StudyModel First => Models[0];

    /// <summary>Mean held-out loss over seeds, nats per token.</summary>
    public double Loss => Models.Average(m => m.Loss);

    /// <summary>Mean wall time over seeds.</summary>
    public double Seconds => Models.Average(m => m.Seconds);

    /// <summary>Mean floating-point operations over seeds.</summary>
    public double Operations => Models.Average(m => m.Operations);

    /// <summary>Name of the line that the arm is a point of: grown arms whose names differ only in the budget at the end share one.</summary>
    public string Series(StudyArm smallest) => First.Grown is not null ? Name.TrimEnd([.. "0123456789"]).TrimEnd('-')
        : First.Parameters > smallest.First.Parameters ? GrowthStudy.LargeName : GrowthStudy.SmallName;
}
