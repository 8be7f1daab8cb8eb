using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using Espalier.Surgery.Checkpoints;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Training.Teams;

/// <summary>A member as it is in memory: what it alone has, beside the weights. Moments exist for what it trains, and for nothing else.</summary>
internal sealed class TeamMember(int number, ExpertShares shares, AdamW optimizer, DecoderTrainer trainer, TrainingRecord record, long[][] routed) : IDisposable
{
    /// <summary>Which it is, from 1.</summary>
    public int Number { get; } = number;

    /// <summary>Who trains which experts.</summary>
    public ExpertShares Shares { get; } = shares;

    /// <summary>Its optimizer.</summary>
    public AdamW Optimizer { get; } = optimizer;

    /// <summary>Takes its steps.</summary>
    public DecoderTrainer Trainer { get; } = trainer;

    /// <summary>Its run so far.</summary>
    public TrainingRecord Record { get; } = record;

    /// <summary>Rounds that it has done.</summary>
    public long Rounds { get; set; }

    /// <summary>Counts the tokens that experts got in a step.</summary>
    public void Count(IReadOnlyList<IReadOnlyList<long>> counts)
    {
        for (var layer = 0; layer < counts.Count; layer++)
            for (var expert = 0; expert < counts[layer].Count; expert++)
                routed[layer][expert] += counts[layer][expert];
    }

    /// <summary>
    /// Stores what a round made of it: <c>weights.NAME</c> of what it trained and the selection biases, which the others read; its moments and
    /// its record, which only whoever goes on in its place does.
    /// </summary>
    /// <param name="store">Where.</param>
    /// <param name="stepKey">The step that owns it.</param>
    /// <param name="decoder">The weights.</param>
    /// <param name="layout">Where they lie.</param>
    /// <param name="cancellationToken">Stops; nothing is published then.</param>
    public async Task<ManifestRef> SaveAsync(ArtifactStore store, Digest stepKey, MoeDecoder decoder, TeamLayout layout, CancellationToken cancellationToken)
    {
        // Equal parts of different members and rounds must be different blobs: each is deleted on its own.
        var owned = new OwnedBlobs(store.Blobs, stepKey, Rounds * Shares.Members + Number);
        using var writer = new CheckpointWriter(store, ArtifactKind.TrainerState, owned);
        writer.SetProperties(OwnedArtifact.PropertiesOf(stepKey));
        var notes = new MemberNotes(Optimizer.Steps, Shares, routed, Record);
        await writer.AddFileAsync(TeamRound.NotesFile, CanonicalJson.Serialize(notes), cancellationToken).ConfigureAwait(false);
        foreach (var piece in layout.TrainedBy(Number, Shares))
        {
            using var weights = decoder.Buffer.Values.narrow(0, piece.Range.First, piece.Range.Length);
            await CheckpointSaver.AddTensorAsync(writer, TeamRound.Weights + piece.Name, weights, weights.dtype, cancellationToken).ConfigureAwait(false);
            foreach (var (prefix, moment) in TeamRound.Moments)
            {
                using var values = Optimizer.Moments(moment, piece.Range)!;
                await CheckpointSaver.AddTensorAsync(writer, prefix + piece.Name, values, values.dtype, cancellationToken).ConfigureAwait(false);
            }
        }
        foreach (var layer in decoder.Config.SparseLayers)
        {
            if (decoder.SelectionBias(layer) is { } bias)
            {
                var name = TeamRound.Weights + TensorNames.SelectionBias(layer);
                await CheckpointSaver.AddTensorAsync(writer, name, bias, bias.dtype, cancellationToken).ConfigureAwait(false);
            }
        }
        return await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    public void Dispose() => Optimizer.Dispose();
}
