using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Training.Teams;

/// <summary>
/// What all members made in one round. The model after it (SPES, arXiv 2602.11543): the dense part is the mean of the members', added up in
/// float32 in their order, and each expert is that of the member that trained it. Selection biases are dense.
/// </summary>
internal sealed class TeamRound
{
    /// <summary>The file with <see cref="MemberNotes"/>.</summary>
    public const string NotesFile = "member.json";

    /// <summary>Before the name of a weight.</summary>
    public const string Weights = "weights.";

    /// <summary>Before the name of a moment.</summary>
    public static readonly IReadOnlyList<(string Prefix, Moment Moment)> Moments =
        [(TrainerStateNames.FirstMoment, Moment.First), (TrainerStateNames.SecondMoment, Moment.Second)];

    private readonly List<CheckpointReader> _parts;
    private readonly List<StoredWeights> _stored;

    private TeamRound(List<CheckpointReader> parts, List<MemberNotes> notes)
    {
        (_parts, Notes) = (parts, notes);
        _stored = [.. parts.Select(part => new StoredWeights(part))];
    }

    /// <summary>What each member noted.</summary>
    public IReadOnlyList<MemberNotes> Notes { get; }

    /// <summary>Who trained which experts in the round.</summary>
    public ExpertShares Shares => Notes[0].Shares;

    /// <summary>Who trains which from now on.</summary>
    public ExpertShares NextShares => Shares.Next([.. Shares.Owners.Select((layer, l) => layer.Select((_, e) => Notes.Sum(n => n.Routed[l][e])).ToArray())]);

    /// <summary>Opens a round that is whole.</summary>
    /// <exception cref="UnusableRoundException">It cannot be read, or not any more.</exception>
    public static async Task<TeamRound> OpenAsync(ArtifactStore store, StepRounds rounds, long round, int members, CancellationToken cancellationToken)
    {
        try
        {
            var (parts, notes) = (new List<CheckpointReader>(), new List<MemberNotes>());
            for (var member = 1; member <= members; member++)
            {
                var part = await rounds.FindAsync(round, member, cancellationToken).ConfigureAwait(false)
                    ?? throw new InvalidDataException($"Round {round} of worker {member} is gone.");
                parts.Add(await CheckpointReader.OpenAsync(store, part, cancellationToken).ConfigureAwait(false));
                notes.Add(JsonSerializer.Deserialize<MemberNotes>(parts[^1].ReadFile(NotesFile), WireJson.Options)!);
            }
            return new TeamRound(parts, notes);
        }
        catch (Exception e) when (IsUnusable(e))
        {
            throw new UnusableRoundException(e);
        }
    }

    /// <summary>Bytes that a member put into the store for the others.</summary>
    public long BytesOf(int member) => BytesOf(_parts[member - 1]);

    /// <summary>As <see cref="BytesOf(int)"/>, of a part.</summary>
    public static long BytesOf(CheckpointReader part) =>
        part.Manifest.Tensors.Where(tensor => tensor.Name.StartsWith(Weights, StringComparison.Ordinal)).Sum(tensor => tensor.SizeBytes);

    /// <summary>Sets the weights to those after the round.</summary>
    /// <exception cref="UnusableRoundException">It cannot be read, or not any more: the model is half of it.</exception>
    public void MergeInto(MoeDecoder decoder, TeamLayout layout) => Read(() =>
    {
        foreach (var piece in layout.Pieces)
        {
            using var target = decoder.Buffer.Values.narrow(0, piece.Range.First, piece.Range.Length);
            if (piece.Expert is { } expert)
                Copy(_stored[Shares.OwnerOf(piece.Layer, expert) - 1], Weights + piece.Name, target);
            else
                CopyMean(Weights + piece.Name, target);
        }
        foreach (var layer in decoder.Config.SparseLayers)
        {
            if (decoder.SelectionBias(layer) is { } bias)
                CopyMean(Weights + TensorNames.SelectionBias(layer), bias);
        }
    });

    /// <summary>Fills in the moments of what a member goes on with: its own of the dense part, and of experts those of whoever trained them.</summary>
    /// <exception cref="UnusableRoundException">It cannot be read, or not any more.</exception>
    public void LoadMoments(AdamW optimizer, int member, ExpertShares next, TeamLayout layout) => Read(() =>
    {
        foreach (var piece in layout.TrainedBy(member, next))
        {
            var source = _stored[(piece.Expert is { } expert ? Shares.OwnerOf(piece.Layer, expert) : member) - 1];
            foreach (var (prefix, moment) in Moments)
            {
                using var target = optimizer.Moments(moment, piece.Range)!;
                Copy(source, prefix + piece.Name, target);
            }
        }
        optimizer.Steps = Notes[member - 1].OptimizerSteps;
    });

    /// <summary>Publishes the trainer-state after the round: moments of the dense part are the mean of the members'.</summary>
    public async Task<ManifestRef> SaveTrainerStateAsync(
        ArtifactStore store, MoeDecoder decoder, TeamLayout layout, Parent model, CancellationToken cancellationToken)
    {
        using var writer = new CheckpointWriter(store, ArtifactKind.TrainerState);
        foreach (var (name, shape, range) in TrainerStateFiles.Exported(decoder))
        {
            var piece = layout.Pieces.First(piece => piece.Range.Holds(range));
            foreach (var (prefix, _) in Moments)
            {
                using var values = MomentsOf(prefix, piece, range, shape);
                await CheckpointSaver.AddTensorAsync(writer, prefix + name, values, ScalarType.Float32, cancellationToken).ConfigureAwait(false);
            }
        }
        writer.SetProperties(new JsonObject
        {
            [TrainerStateNames.Optimizer] = OptimizerNames.AdamW, [TrainerStateNames.Steps] = Notes.Max(notes => notes.OptimizerSteps),
        });
        writer.AddParent(model);
        return await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private Tensor MomentsOf(string prefix, TeamPiece piece, BufferRange range, long[] shape)
    {
        using var scope = NewDisposeScope();
        using var whole = empty(piece.Range.Length, dtype: float32);
        if (piece.Expert is { } expert)
            Copy(_stored[Shares.OwnerOf(piece.Layer, expert) - 1], prefix + piece.Name, whole);
        else
            CopyMean(prefix + piece.Name, whole);
        using var part = whole.narrow(0, range.First - piece.Range.First, range.Length);
        return part.view(shape).clone().DetachFromDisposeScope();
    }

    private static void Copy(StoredWeights source, string name, Tensor target)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        using var value = source.Read(name);
        target.copy_(value);
    }

    private void CopyMean(string name, Tensor target)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        using var sum = zeros(target.shape, dtype: float32);
        using Scalar one = 1;
        foreach (var part in _stored)
        {
            using var value = part.Read(name);
            using var wide = value.to(float32);
            sum.add_(wide, one);
        }
        using Scalar members = _stored.Count;
        sum.div_(members);
        target.copy_(sum);
    }

    private static void Read(Action read)
    {
        try
        {
            read();
        }
        catch (Exception e) when (IsUnusable(e))
        {
            throw new UnusableRoundException(e);
        }
    }

    private static bool IsUnusable(Exception error) => error is MissingBlobException or InvalidDataException or JsonException or KeyNotFoundException;
}
