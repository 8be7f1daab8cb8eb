using Espalier.CptTrainer.Options;
using Espalier.Datasets.Sampling;
using Espalier.Datasets.Tokens;
using Espalier.Modeling;
using Espalier.Stages;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Training;

/// <summary>
/// Groups the sequences of every domain by the loss of the model that the run starts from, so that a run over less than an epoch can be
/// pruned too, and so that the order of the data stays a function of what the run starts from. One forward pass over the text.
/// </summary>
internal static class SamplePruner
{
    /// <summary>The groups of each domain that is drawn from.</summary>
    /// <param name="options">What was asked for, with numbers.</param>
    /// <param name="sampler">Draws the sequences.</param>
    /// <param name="decoder">The model as the run starts; it stays as it is.</param>
    /// <param name="progress">Hears of the sequences done.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    public static IReadOnlyDictionary<string, SampleGroups> GroupsOf(
        TrainOptions options, BatchSampler sampler, MoeDecoder decoder, IStageProgress progress, CancellationToken cancellationToken)
    {
        var asked = options.PruneSamples!;
        var rule = new SetaRule(asked.Groups, asked.Scale, asked.Delta, asked.Rounds);
        var drawn = sampler.Counts(TrainPlan.StepsOf(options, options.Tokens) * options.Batch * options.Accumulate);
        var groups = new Dictionary<string, SampleGroups>();
        foreach (var domain in sampler.Domains)
        {
            var losses = Measure(decoder, domain, options, progress, cancellationToken);
            groups[domain.Name] = new SampleGroups(losses, drawn[domain.Name], rule, options.Seed, domain.Name);
        }
        return groups;
    }

    /// <summary>What was read of each domain.</summary>
    public static IReadOnlyDictionary<string, SampleUse> UseOf(
        IReadOnlyDictionary<string, SampleGroups> groups, IReadOnlyDictionary<string, long> drawn) => groups.ToDictionary(domain => domain.Key, domain =>
    {
        var (sizes, read) = (domain.Value.Sizes, domain.Value.Read(drawn[domain.Key]));
        return new SampleUse(
            sizes.Sum(), read.Sum(), [.. sizes.Select((size, i) => new SampleGroupUse(size, domain.Value.Losses[i], read[i]))]);
    });

    /// <summary>Mean loss in nats per token of each sequence of a domain, cut at multiples of their length.</summary>
    internal static float[] Measure(
        MoeDecoder decoder, TokenizedDomain domain, TrainOptions options, IStageProgress progress, CancellationToken cancellationToken)
    {
        var losses = new List<float>();
        var (type, count) = (decoder.ComputeType, Math.Max(1, domain.Tokens / options.Length));
        decoder.ComputeType = decoder.Buffer.Values.dtype; // as an evaluation reads the weights
        try
        {
            while (losses.Count < count)
            {
                cancellationToken.ThrowIfCancellationRequested();
                losses.AddRange(Measure(decoder, domain, losses.Count, (int)Math.Min(options.Batch, count - losses.Count), options.Length));
                progress.Report($"grouping {domain.Name}", losses.Count, count, "sequences");
            }
        }
        finally
        {
            decoder.ComputeType = type;
        }
        return [.. losses];
    }

    private static float[] Measure(MoeDecoder decoder, TokenizedDomain domain, int first, int rows, int length)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var ids = new long[rows * (length + 1)];
        var row = new int[length + 1];
        for (var i = 0; i < rows; i++)
        {
            domain.ReadCircular((long)(first + i) * length, row);
            for (var j = 0; j <= length; j++)
                ids[i * (length + 1) + j] = row[j];
        }
        var batch = tensor(ids, [rows, length + 1], device: decoder.Device);
        var stream = decoder.Embed(batch.narrow(1, 0, length).contiguous());                             // (B, S, H)
        for (var layer = 0; layer < decoder.Config.Layers; layer++)
            stream = decoder.RunLayer(layer, stream);
        var targets = batch.narrow(1, 1, length).flatten();                                              // (B S)
        return decoder.TokenLosses(stream.flatten(0, 1), targets).view(rows, length).mean([1L]).cpu().data<float>().ToArray();
    }
}

/// <summary>What a run read of a domain whose samples were pruned.</summary>
/// <param name="Sequences">Sequences that it has.</param>
/// <param name="Read">Those that were read at least once.</param>
/// <param name="Groups">The same by group, the easiest first.</param>
public sealed record SampleUse(long Sequences, long Read, IReadOnlyList<SampleGroupUse> Groups);

/// <summary>One group of sequences.</summary>
/// <param name="Sequences">Sequences that it has.</param>
/// <param name="Loss">Their mean loss before training, nats per token.</param>
/// <param name="Read">Those that were read at least once.</param>
public sealed record SampleGroupUse(long Sequences, double Loss, long Read);
