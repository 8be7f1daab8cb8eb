namespace Espalier.CptTrainer.Training.Teams;

/// <summary>What a member's part of a round holds beside tensors.</summary>
/// <param name="OptimizerSteps">Optimizer steps that it has taken.</param>
/// <param name="Shares">Who trained which experts in the round.</param>
/// <param name="Routed">By layer and expert, tokens of this member so far.</param>
/// <param name="Record">Its run so far.</param>
internal sealed record MemberNotes(long OptimizerSteps, ExpertShares Shares, long[][] Routed, TrainingRecord Record);
