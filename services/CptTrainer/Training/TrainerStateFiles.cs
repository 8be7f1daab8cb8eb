using System.Text.Json.Nodes;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Training;

/// <summary>
/// The trainer-state artifact: <c>exp_avg.NAME</c> and <c>exp_avg_sq.NAME</c> (float32) for every weight by its Hugging
/// Face name, experts one by one, so that growth can copy them; the optimizer's name and step count in the properties. Muon has no
/// second moments of its matrices. Moments of eight bits are written as the numbers that they stand for, and read back into the same bits.
/// </summary>
public static class TrainerStateFiles
{
    private static readonly (string Prefix, Moment Moment)[] Moments =
        [(TrainerStateNames.FirstMoment, Moment.First), (TrainerStateNames.SecondMoment, Moment.Second)];

    /// <summary>Writes the state of a finished run.</summary>
    public static async Task<ManifestRef> SaveAsync(
        ArtifactStore store, MoeDecoder decoder, IOptimizer optimizer, Artifacts.Manifests.Parent model, CancellationToken cancellationToken)
    {
        using var writer = new CheckpointWriter(store, ArtifactKind.TrainerState);
        foreach (var (prefix, moment) in Moments)
            await AddAsync(writer, decoder, optimizer, prefix, moment, cancellationToken).ConfigureAwait(false);
        await ExpertAges.SaveAsync(writer, decoder, optimizer, cancellationToken).ConfigureAwait(false);
        writer.SetProperties(new JsonObject { [TrainerStateNames.Optimizer] = optimizer.Name, [TrainerStateNames.Steps] = optimizer.Steps });
        writer.AddParent(model);
        return await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Fills the optimizer's moments.</summary>
    /// <exception cref="UserInputException">The state belongs to a model of another shape, or to another optimizer.</exception>
    public static async Task LoadAsync(ArtifactStore store, ManifestRef state, MoeDecoder decoder, IOptimizer optimizer, CancellationToken cancellationToken)
    {
        var reader = await CheckpointReader.OpenAsync(store, state, cancellationToken).ConfigureAwait(false);
        if (TrainerStateNames.OptimizerOf(reader.Manifest.Properties) is var made && made != optimizer.Name)
            throw new UserInputException(
                $"optimizer-state: continue cannot use the trainer-state {state.Root.Short}: it is of 'optimizer: {made}', and this step has "
                + $"'optimizer: {optimizer.Name}'. Use 'optimizer: {made}', or optimizer-state: reset.");
        var stored = new StoredWeights(reader);
        var weights = Exported(decoder);
        foreach (var parameter in decoder.Parameters)
            foreach (var (prefix, moment) in Moments)
                Load(stored, state, optimizer, moment, prefix, parameter, weights.Where(weight => parameter.Range.Holds(weight.Range)));
        optimizer.Steps = reader.Manifest.Properties?[TrainerStateNames.Steps]?.GetValue<long>() ?? 0;
        optimizer.Late = ExpertAges.Load(reader, decoder, optimizer.Steps);
    }

    private static void Load(
        StoredWeights stored, ManifestRef state, IOptimizer optimizer, Moment moment, string prefix, NamedParameter parameter, IEnumerable<Weight> weights)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        if (optimizer.Moments(moment, parameter.Range with { Length = 1 }) is null)
            return;
        var values = zeros(parameter.Range.Length, dtype: float32);
        foreach (var (name, shape, range) in weights)
        {
            if (!stored.Names.Contains(prefix + name) || !stored.Describe(prefix + name).Shape.SequenceEqual(shape))
                throw new UserInputException(
                    $"The trainer-state {state.Root.Short} has no '{prefix + name}' of shape [{string.Join(", ", shape)}]: "
                    + "it belongs to another model. Use optimizer-state: reset.");
            values.narrow(0, range.First - parameter.Range.First, range.Length).copy_(stored.Read(prefix + name).view(-1));
        }
        optimizer.SetMoments(moment, parameter, values);
    }

    private static async Task AddAsync(
        CheckpointWriter writer, MoeDecoder decoder, IOptimizer optimizer, string prefix, Moment moment, CancellationToken cancellationToken)
    {
        foreach (var (name, shape, range) in Exported(decoder))
        {
            using var values = optimizer.Moments(moment, range);
            if (values is null)
                continue;
            using var shaped = values.view(shape);
            await CheckpointSaver.AddTensorAsync(writer, prefix + name, shaped, ScalarType.Float32, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The weights under their Hugging Face names, and where they lie in the buffer.</summary>
    internal static IReadOnlyList<Weight> Exported(MoeDecoder decoder)
    {
        var weights = new List<Weight>();
        foreach (var (name, value) in decoder.ExportWeights())
        {
            using (value)
            {
                if (!name.EndsWith("e_score_correction_bias", StringComparison.Ordinal))
                    weights.Add(new Weight(name, value.shape, new BufferRange(value.storage_offset(), value.numel())));
            }
        }
        return weights;
    }

    /// <summary>A weight.</summary>
    internal sealed record Weight(string Name, long[] Shape, BufferRange Range);
}
