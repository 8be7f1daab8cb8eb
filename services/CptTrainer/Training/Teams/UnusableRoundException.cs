namespace Espalier.CptTrainer.Training.Teams;

/// <summary>A round is damaged, or was deleted because a later one is whole.</summary>
internal sealed class UnusableRoundException(Exception reason) : Exception(reason.Message, reason);
