using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Training;

/// <summary>
/// Everything that the next step depends on, saved in the store under the step's cursor: weights and moments as they lie
/// in memory, selection biases, the step number and the record so far. Data and schedule are functions of the step
/// number, so any worker goes on from here to the same bits.
/// </summary>
public sealed class TrainerCursor(StageContext context, MoeDecoder decoder, AdamW optimizer)
{
    private const string RecordFile = "record.json";
    private const string Weights = "weights";
    private const string FirstMoment = "exp_avg";
    private const string SecondMoment = "exp_avg_sq";

    /// <summary>Saves the position after <paramref name="step"/> finished steps.</summary>
    public async Task SaveAsync(long step, TrainingRecord record, CancellationToken cancellationToken)
    {
        using var writer = new CheckpointWriter(context.Artifacts, ArtifactKind.TrainerState);
        await writer.AddFileAsync(RecordFile, CanonicalJson.Serialize(record), cancellationToken).ConfigureAwait(false);
        foreach (var (name, value) in State())
            await CheckpointSaver.AddTensorAsync(writer, name, value, ScalarType.Float32, cancellationToken).ConfigureAwait(false);
        var saved = await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
        await context.Cursor.SaveAsync(CanonicalJson.Serialize(new Position(step, optimizer.Steps, saved)), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Restores the last position: finished steps and the record, or null when there is none to go on from.</summary>
    public async Task<(long Step, TrainingRecord Record)?> RestoreAsync(CancellationToken cancellationToken)
    {
        if (await context.Cursor.LoadAsync(cancellationToken).ConfigureAwait(false) is not { } bytes)
            return null;
        try
        {
            var position = JsonSerializer.Deserialize<Position>(bytes, WireJson.Options);
            if (position?.State is null)
                throw new JsonException("It names no state.");
            var reader = await CheckpointReader.OpenAsync(context.Artifacts, position.State, cancellationToken).ConfigureAwait(false);
            var record = JsonSerializer.Deserialize<TrainingRecord>(reader.ReadFile(RecordFile), WireJson.Options)!;
            Restore(reader);
            optimizer.Steps = position.OptimizerSteps;
            return (position.Step, record);
        }
        catch (Exception e) when (e is MissingBlobException or InvalidDataException or JsonException)
        {
            context.Progress.Log($"The saved position cannot be read from the store; starting again. {e.Message}");
            return null;
        }
    }

    private void Restore(CheckpointReader reader)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var stored = new StoredWeights(reader);
        var loaded = State().ToDictionary(entry => entry.Name, entry => stored.Read(entry.Name)); // all read before any is used
        foreach (var (name, value) in State())
            value.copy_(loaded[name]);
    }

    private IEnumerable<(string Name, Tensor Value)> State()
    {
        yield return (Weights, decoder.Buffer.Values);
        yield return (FirstMoment, optimizer.FirstMoment);
        yield return (SecondMoment, optimizer.SecondMoment);
        for (var layer = 0; layer < decoder.Config.Layers; layer++)
        {
            if (decoder.SelectionBias(layer) is { } bias)
                yield return ($"selection-bias.{layer}", bias);
        }
    }

    /// <summary>What the cursor itself holds.</summary>
    /// <param name="Step">Finished optimizer steps of this stage.</param>
    /// <param name="OptimizerSteps">AdamW's own count, larger when it continued from earlier moments.</param>
    /// <param name="State">The saved tensors.</param>
    private sealed record Position(long Step, long OptimizerSteps, ManifestRef State);
}
