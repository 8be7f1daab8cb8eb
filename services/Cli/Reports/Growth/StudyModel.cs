namespace Espalier.Cli.Reports.Growth;

/// <summary>One trained and scored model of a study, with everything that was spent on it from the first token on.</summary>
/// <param name="Step">Step that made it.</param>
/// <param name="Arm">The step's name without the seed: models of one arm differ in the seed alone.</param>
/// <param name="Seed">The rest of the name.</param>
/// <param name="Grown">Arm of the step that grew it, or null.</param>
/// <param name="GrownAt">Tokens before it was grown, or null.</param>
/// <param name="Parameters">All weights.</param>
/// <param name="Tokens">Training tokens, ancestors included.</param>
/// <param name="Seconds">Wall time of the steps that trained and grew it, ancestors included.</param>
/// <param name="Operations">6 x active weights x tokens, ancestors included.</param>
/// <param name="Loss">Held-out loss, nats per token.</param>
internal sealed record StudyModel(
    string Step, string Arm, string Seed, string? Grown, double? GrownAt, double Parameters, double Tokens, double Seconds, double Operations, double Loss);

/// <summary>One arm: the same recipe under several seeds.</summary>
/// <param name="Name">Step name without the seed.</param>
/// <param name="Models">One per seed, by seed.</param>
internal sealed record StudyArm(string Name, IReadOnlyList<StudyModel> Models)
{
    public StudyModel First => Models[0];

    public double Loss => Models.Average(m => m.Loss);

    public double Seconds => Models.Average(m => m.Seconds);

    public double Operations => Models.Average(m => m.Operations);

    /// <summary>Name of the line that the arm is a point of: grown arms whose names differ in the budget at their end alone share it.</summary>
    public string Series(StudyArm smallest) => First.Grown is not null ? Name.TrimEnd([.. "0123456789"]).TrimEnd('-')
        : First.Parameters > smallest.First.Parameters ? GrowthStudy.LargeName : GrowthStudy.SmallName;
}
