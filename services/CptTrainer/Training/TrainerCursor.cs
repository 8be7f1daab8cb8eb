using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.Runtime;
using Espalier.Modeling.Training;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Training;

/// <summary>
/// Everything that the next step depends on, saved in the store under the step's cursor: weights and moments by name, their average, what they were
/// before the decay, which are pruned, selection biases, the step number and the record so far. Data and schedule are functions of the step number, so any
/// worker goes on from here to the same bits. A save copies what it can in memory, and is written while training goes on; what it replaces is
/// deleted as soon as it is whole, so the store has two positions of a step at most.
/// </summary>
public sealed class TrainerCursor(StageContext context, MoeDecoder decoder, IOptimizer optimizer, TimeProvider time) : IAsyncDisposable
{
    private const string RecordFile = "record.json";
    private const string Weights = "weights.";
    private const string AverageWeights = "average.";
    private const string Stable = "stable.";
    private const string Mask = "mask.";
    private const string Mean = "mean.";

    /// <summary>Of the memory that is free, how much a copy may take: 1 / this.</summary>
    private const long ShareOfFreeMemory = 2;

    private Task _saving = Task.CompletedTask;
    private Digest? _whole;

    /// <summary>What the last save cost the training: the time for which it stood still, and the processors' time of the writing.</summary>
    public TimeSpan LastCost { get; private set; }

    /// <summary>The moving average of the weights, when there is one.</summary>
    public WeightAverage? Average { get; init; }

    /// <summary>The weights from before the decay, when they are kept.</summary>
    public StableWeights? StableWeights { get; init; }

    /// <summary>What is pruned, when something is.</summary>
    internal Sparsification? Sparsification { get; init; }

    /// <summary>The means of routers that follow their tokens, when they do.</summary>
    public KMeansRouters? RouterMeans { get; init; }

    /// <summary>Whether a save is still being written.</summary>
    public bool IsSaving => !_saving.IsCompleted;

    /// <summary>
    /// Begins to save the position after <paramref name="step"/> finished steps, and returns as soon as training may go on. One save is
    /// written at a time: this waits for the one before, and throws what went wrong with it.
    /// </summary>
    public async Task BeginSaveAsync(long step, TrainingRecord record, CancellationToken cancellationToken)
    {
        await _saving.ConfigureAwait(false);
        var began = time.GetTimestamp();
        var position = new CheckpointWriter(
            context.Artifacts, ArtifactKind.TrainerState, new OwnedBlobs(context.Artifacts.Blobs, context.Step.Key, step));
        var copies = new List<(string Name, Tensor Value)>();
        try
        {
            position.SetProperties(OwnedArtifact.PropertiesOf(context.Step.Key));
            await position.AddFileAsync(RecordFile, CanonicalJson.Serialize(record), cancellationToken).ConfigureAwait(false);
            var room = HostMemory.FreeBytes() / ShareOfFreeMemory;
            foreach (var (name, value) in State(step))
            {
                if (value.numel() * value.element_size() is var bytes && bytes > room)
                {
                    // No room for a copy: training waits until it is written.
                    await CheckpointSaver.AddTensorAsync(position, name, value, value.dtype, cancellationToken).ConfigureAwait(false);
                    continue;
                }
                room -= bytes;
                copies.Add((name, Copy(value)));
            }
        }
        catch
        {
            Release(position, copies);
            throw;
        }
        var stood = time.GetElapsedTime(began);
        var steps = optimizer.Steps;
        _saving = Task.Run(() => StoreAsync(position, copies, step, steps, stood, cancellationToken), CancellationToken.None);
    }

    /// <summary>Waits until nothing is being saved.</summary>
    public Task EndSaveAsync() => _saving;

    /// <summary>Restores the last position: finished steps and the record, or null when there is none to go on from.</summary>
    /// <exception cref="IOException">The position was whole, and the store failed while it was read: the model is half of it.</exception>
    public async Task<(long Step, TrainingRecord Record)?> RestoreAsync(CancellationToken cancellationToken)
    {
        byte[]? seen = null;
        var problem = "";
        // A worker that had the step before may have replaced the position while it was looked at: then there is a newer one.
        while (await context.Cursor.LoadAsync(cancellationToken).ConfigureAwait(false) is { } bytes && (seen is null || !bytes.AsSpan().SequenceEqual(seen)))
        {
            seen = bytes;
            try
            {
                var (position, reader, record) = await OpenAsync(bytes, cancellationToken).ConfigureAwait(false);
                Restore(reader, position.Step);
                optimizer.Steps = position.OptimizerSteps;
                _whole = position.State.Root;
                return (position.Step, record);
            }
            catch (UnusablePositionException e)
            {
                problem = e.Message;
            }
        }
        if (seen is not null)
            context.Progress.Log($"The saved position cannot be read from the store; starting again. {problem}");
        return null;
    }

    /// <summary>Waits for what is being written; whatever went wrong with it no longer matters.</summary>
    public async ValueTask DisposeAsync() => await _saving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private async Task StoreAsync(
        CheckpointWriter position, List<(string Name, Tensor Value)> copies, long step, long optimizerSteps, TimeSpan stood,
        CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        ManifestRef saved;
        try
        {
            foreach (var (name, value) in copies)
                await CheckpointSaver.AddTensorAsync(position, name, value, value.dtype, cancellationToken).ConfigureAwait(false);
            saved = await position.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Release(position, copies);
        }
        await context.Cursor.SaveAsync(CanonicalJson.Serialize(new Position(step, optimizerSteps, saved)), cancellationToken).ConfigureAwait(false);
        LastCost = stood + time.GetElapsedTime(began) / Environment.ProcessorCount;
        var replaced = _whole;
        _whole = saved.Root;
        if (replaced is { } root)
            await RemoveAsync(root, saved.Root, cancellationToken).ConfigureAwait(false);
    }

    private async Task RemoveAsync(Digest root, Digest kept, CancellationToken cancellationToken)
    {
        try
        {
            await OwnedArtifact.DeleteAsync(context.Artifacts, root, context.Step.Key, kept, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (StoreFailure.Is(e))
        {
            context.Progress.Log($"A position that was replaced stays in the store until its next collection (espalier gc). {StoreFailure.Describe(e)}");
        }
    }

    /// <summary>Opens a position and reads some of every blob, which compares the blob with its digest: nothing of the model has changed yet.</summary>
    private async Task<(Position Position, CheckpointReader Reader, TrainingRecord Record)> OpenAsync(byte[] bytes, CancellationToken cancellationToken)
    {
        try
        {
            var position = JsonSerializer.Deserialize<Position>(bytes, WireJson.Options);
            if (position?.State is null)
                throw new JsonException("It names no state.");
            var reader = await CheckpointReader.OpenAsync(context.Artifacts, position.State, cancellationToken).ConfigureAwait(false);
            var record = JsonSerializer.Deserialize<TrainingRecord>(reader.ReadFile(RecordFile), WireJson.Options)!;
            Check(reader, position.Step);
            return (position, reader, record);
        }
        catch (Exception e) when (e is MissingBlobException or InvalidDataException or JsonException or KeyNotFoundException)
        {
            throw new UnusablePositionException(e);
        }
    }

    private void Check(CheckpointReader reader, long step)
    {
        Span<byte> first = stackalloc byte[1];
        foreach (var (name, value) in State(step))
        {
            if (reader.Describe(name).SizeBytes != value.numel() * value.element_size())
                throw new InvalidDataException($"Its tensor '{name}' has another shape than that of the model.");
            reader.ReadRange(name, 0, first);
        }
    }

    private void Restore(CheckpointReader reader, long step)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var stored = new StoredWeights(reader);
        foreach (var (name, value) in State(step))
        {
            if (value.device_type == DeviceType.CPU)
                stored.ReadInto(name, value.detach());
            else
                value.copy_(stored.Read(name));
        }
    }

    /// <summary>
    /// What changes, by name, of a position after some steps, each until the next is asked for. Parts that are not trained are still what the
    /// step started with, and their moments zero.
    /// </summary>
    private IEnumerable<(string Name, Tensor Value)> State(long step)
    {
        var stable = StableWeights?.IsIn(step) == true ? StableWeights : null;
        foreach (var parameter in decoder.Buffer.Parameters)
        {
            var followsTokens = RouterMeans is not null && WeightKinds.IsRouter(parameter.Name);
            if (!followsTokens && optimizer.Frozen.Any(range => range.Holds(parameter.Range)))
                continue;
            yield return (Weights + parameter.Name, parameter.Value);
            foreach (var (kind, value) in optimizer.State(parameter))
            {
                using (value)
                    yield return ($"{kind}.{parameter.Name}", value);
            }
            if (Average is not null)
            {
                using var average = Average.Of(parameter);
                yield return (AverageWeights + parameter.Name, average);
            }
            if (stable is not null)
            {
                using var kept = stable.Of(parameter);
                yield return (Stable + parameter.Name, kept);
            }
            if (Sparsification?.MaskIn(step, parameter) is { } mask)
                yield return (Mask + parameter.Name, mask);
        }
        for (var layer = 0; layer < decoder.Config.Layers; layer++)
        {
            if (decoder.SelectionBias(layer) is { } bias)
                yield return (Weights + TensorNames.SelectionBias(layer), bias);
        }
        if (step > 0) // there are none before the first
        {
            foreach (var (layer, means) in RouterMeans?.Means ?? [])
                yield return (Mean + TensorNames.Router(layer), means);
        }
        foreach (var (layer, bias) in stable?.SelectionBiases ?? [])
            yield return (Stable + TensorNames.SelectionBias(layer), bias);
    }

    private static Tensor Copy(Tensor value)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        return (value.device_type == DeviceType.CPU ? value.detach().clone() : value.detach().cpu()).DetachFromDisposeScope();
    }

    private static void Release(CheckpointWriter position, List<(string Name, Tensor Value)> copies)
    {
        position.Dispose();
        foreach (var (_, value) in copies)
            value.Dispose();
    }

    /// <summary>What the cursor itself holds.</summary>
    /// <param name="Step">Finished optimizer steps of this stage.</param>
    /// <param name="OptimizerSteps">The optimizer's own count, larger when it continued from earlier moments.</param>
    /// <param name="State">The saved tensors.</param>
    private sealed record Position(long Step, long OptimizerSteps, ManifestRef State);

    private sealed class UnusablePositionException(Exception reason) : Exception(reason.Message, reason);
}
