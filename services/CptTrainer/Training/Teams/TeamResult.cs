using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.CptTrainer.Training.Teams;

/// <summary>What a team made, beside the model.</summary>
/// <param name="Record">The run.</param>
/// <param name="Metrics">What it tells of the exchanges.</param>
/// <param name="SaveTrainerStateAsync">Publishes the trainer-state of a model.</param>
internal sealed record TeamResult(TrainingRecord Record, IReadOnlyDictionary<string, double> Metrics, Func<Parent, Task<ManifestRef>> SaveTrainerStateAsync);
