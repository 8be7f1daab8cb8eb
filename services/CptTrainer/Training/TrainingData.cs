using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Tokenizers;
using Espalier.Stages;
using Espalier.Datasets;
using Espalier.Datasets.Sampling;
using Espalier.Datasets.Tokens;
using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Training;

/// <summary>
/// Batches of token ids by optimizer step: a function of the step number, so there is nothing to save. Several workers take turns: the
/// steps that one of them would take one after the other, they take side by side.
/// </summary>
public sealed class TrainingData : IDisposable
{
    private readonly TokenizedSplit _split;
    private readonly BatchSampler _sampler;
    private readonly long _skipped; // optimizer steps
    private readonly int _microBatches;
    private readonly int _parts;
    private readonly Device _device;

    private TrainingData(TokenizedSplit split, BatchSampler sampler, long skipped, int microBatches, int parts, Device device, BosReport bos) =>
        (_split, _sampler, _skipped, _microBatches, _parts, _device, Bos) = (split, sampler, skipped, microBatches, parts, device, bos);

    /// <summary>Share of the sequences that each domain gives.</summary>
    public required IReadOnlyDictionary<string, double> Mixture { get; init; }

    /// <summary>The stages where the mixture changes; null where it does not.</summary>
    public IReadOnlyList<DrawnStage>? Curriculum { get; private init; }

    /// <summary>Which worker's batches are read, from 0.</summary>
    public int Member { get; set; }

    /// <summary>How many workers there are.</summary>
    public int Workers { get; private init; } = 1;

    /// <summary>How documents begin.</summary>
    public BosReport Bos { get; }

    /// <summary>Opens the training split in the tokenizer's ids, making them when they are not in the cache.</summary>
    public static async Task<TrainingData> OpenAsync(
        StageContext context, TrainOptions options, TextDataset dataset, ITokenizer tokenizer, Device device, CancellationToken cancellationToken)
    {
        var split = await TokenizedSplit.OpenAsync(
            dataset, DatasetSplits.Train, tokenizer, context.Cache, context.Progress.Report, cancellationToken).ConfigureAwait(false);
        try
        {
            var stages = CurriculumPlan.StagesOf(options, split.Domains, dataset.Properties.Mixture, out var areGiven);
            foreach (var stage in stages)
                CheckLengths(split.Domains, stage.Weights, options.Length, areGiven);
            var sampler = new BatchSampler(split, options.Length, options.Batch, options.Seed, stages);
            var skipped = TrainPlan.StepsOf(options, options.Skip);
            var parts = EqualParts(options.Batch, context.MemoryDivisor);
            return new TrainingData(split, sampler, skipped, options.Accumulate, parts, device, BosReport.Of(tokenizer))
            {
                Mixture = CurriculumPlan.MixtureOf(options, sampler),
                Curriculum = CurriculumPlan.Describe(stages, sampler),
                Workers = options.Workers ?? 1,
            };
        }
        catch
        {
            split.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Micro-batches (B, S + 1), int64, of optimizer step <paramref name="step"/>. The caller disposes them. When memory is
    /// short, each is cut into equal parts: the same sequences, their gradients added up in smaller portions.
    /// </summary>
    public IReadOnlyList<Tensor> Step(long step)
    {
        var (rows, columns) = (_sampler.BatchSize / _parts, _sampler.Length + 1);
        return
        [
            .. from i in Enumerable.Range(0, _microBatches)
               from part in _sampler.Batch(FirstOf(step) + i).Chunk(rows * columns)
               select tensor(part, [rows, columns], device: _device),
        ];
    }

    /// <summary>Number of optimizer step <paramref name="step"/> in the seed's order of the data, of which some may be passed over.</summary>
    public long NumberOf(long step) => _skipped + step;

    /// <summary>Domains of the sequences of optimizer step <paramref name="step"/>, the most frequent first.</summary>
    public IReadOnlyList<string> DomainsOf(long step) =>
    [
        .. Enumerable.Range(0, _microBatches).SelectMany(i => _sampler.DomainsOf(FirstOf(step) + i))
            .GroupBy(d => d.Key, d => d.Value).OrderByDescending(g => g.Sum()).ThenBy(g => g.Key, StringComparer.Ordinal).Select(g => g.Key),
    ];

    /// <summary>Numbers of the first and the last micro-batch of optimizer step <paramref name="step"/> in the seed's order of the data.</summary>
    public (long First, long Last) BatchesOf(long step) => (FirstOf(step), FirstOf(step) + _microBatches - 1);

    /// <summary>Has sequences drawn by the loss of the model as the run starts, where the options ask for it.</summary>
    internal void PruneSamples(TrainOptions options, MoeDecoder decoder, IStageProgress progress, CancellationToken cancellationToken)
    {
        if (options.PruneSamples is null)
            return;
        _sampler.Groups = SamplePruner.GroupsOf(options, _sampler, decoder, progress, cancellationToken);
        foreach (var (name, use) in Samples(TrainPlan.StepsOf(options, options.Tokens))!)
        {
            progress.Log(FormattableString.Invariant($"{name}: {use.Sequences} sequences in {use.Groups.Count} groups, mean loss from ")
                + FormattableString.Invariant($"{use.Groups[0].Loss:0.000} to {use.Groups[^1].Loss:0.000}; {use.Read} of them will be read."));
        }
    }

    /// <summary>What <paramref name="steps"/> optimizer steps read of each domain whose samples are pruned; null where none are.</summary>
    public IReadOnlyDictionary<string, SampleUse>? Samples(long steps) => _sampler.Groups.Count == 0 ? null
        : SamplePruner.UseOf(_sampler.Groups, _sampler.Counts(steps * _microBatches * _sampler.BatchSize));

    /// <summary>How often each domain was read through after <paramref name="steps"/> optimizer steps, those passed over included.</summary>
    public IReadOnlyDictionary<string, double> Epochs(long steps) => _sampler.Epochs((_skipped + steps) * Workers * _microBatches);

    // The micro-batch that a step begins with.
    private long FirstOf(long step) => ((_skipped + step) * Workers + Member) * _microBatches;

    /// <summary>Refuses text that gives no whole sequence: all of it, or that of a domain which has a weight.</summary>
    /// <exception cref="UserInputException">It is too short.</exception>
    private static void CheckLengths(IReadOnlyList<TokenizedDomain> domains, IReadOnlyDictionary<string, double> weights, int length, bool areGiven)
    {
        var drawn = domains.Where(d => weights.GetValueOrDefault(d.Name) > 0).ToList();
        var tooShort = drawn.Where(d => d.Tokens < length).ToList();
        if (tooShort.Count > 0 && (areGiven || tooShort.Count == drawn.Count))
            throw new UserInputException(
                $"The training text of '{tooShort[0].Name}' has {tooShort[0].Tokens} tokens, fewer than one sequence of 'length' {length}: give more text, "
                    + (areGiven && drawn.Count > 1 ? "a shorter 'length', or leave it out of the mixture." : "or a shorter 'length'."));
    }

    /// <summary>The smallest number of equal parts that is not below what is asked for.</summary>
    internal static int EqualParts(int rows, int wanted) => Enumerable.Range(1, rows).First(parts => parts == rows || (parts >= wanted && rows % parts == 0));

    /// <inheritdoc/>
    public void Dispose() => _split.Dispose();
}
