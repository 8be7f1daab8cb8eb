namespace Espalier.CptTrainer.Training.Teams;

/// <summary>How closely the members of a team look at each other. Their results do not depend on it.</summary>
/// <param name="Beat">Time between two signs of life.</param>
/// <param name="Silence">A member that gave none for so long is not waited for: somebody else does its share.</param>
/// <param name="Poll">Time between two looks for what is waited for.</param>
public sealed record TeamPace(TimeSpan Beat, TimeSpan Silence, TimeSpan Poll)
{
    /// <summary>For workers on different machines.</summary>
    public static TeamPace Usual { get; } = new(TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(10), TimeSpan.FromMilliseconds(500));
}
