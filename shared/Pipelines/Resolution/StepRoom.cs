namespace Espalier.Pipelines.Resolution;

/// <summary>The most memory that a step can get.</summary>
/// <param name="Bytes">How much.</param>
/// <param name="Where">Who has it, for a sentence: <c>this machine has 15.6 GiB</c>.</param>
public sealed record StepRoom(long Bytes, string Where);

/// <summary>Says how much memory there is for steps.</summary>
public interface IStepRooms
{
    /// <summary>The most that a step of a device class can get; null when nobody says.</summary>
    Task<StepRoom?> FindAsync(string device, CancellationToken cancellationToken);
}
