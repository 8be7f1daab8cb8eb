using Espalier.Contracts;
using Espalier.Datasets.Tokens;

namespace Espalier.Datasets.Sampling;

/// <summary>
/// Training batches: sequences of length + 1 tokens, each from one domain of one split, packed across documents. Batch n
/// is a pure function of (ids, stages, seed, length, batch size, n), so the data cursor of a training run is n, and the
/// sequences are the same in the same order whatever the batch size. Within a domain, sequences are shuffled without replacement
/// per epoch, and every epoch cuts the stream at another offset.
/// </summary>
public sealed class BatchSampler
{
    private readonly IReadOnlyList<TokenizedDomain> _domains;
    private readonly StagedSchedule _schedule;
    private readonly long _seed;

    /// <summary>A sampler over a split.</summary>
    /// <param name="split">The tokens, normally of the train split.</param>
    /// <param name="length">Inputs per sequence; each row has one token more.</param>
    /// <param name="batchSize">Rows per batch.</param>
    /// <param name="seed">Chooses the order.</param>
    /// <param name="weights">From <see cref="MixingWeights"/>; null for proportional to bytes.</param>
    /// <exception cref="UserInputException">The split has no text.</exception>
    public BatchSampler(TokenizedSplit split, int length, int batchSize, long seed, IReadOnlyDictionary<string, double>? weights = null)
        : this(split, length, batchSize, seed, [new MixtureStage(weights ?? MixingWeights.Resolve(split.Domains))])
    {
    }

    /// <summary>A sampler over a split whose mixture changes.</summary>
    /// <param name="split">The tokens, normally of the train split.</param>
    /// <param name="length">Inputs per sequence; each row has one token more.</param>
    /// <param name="batchSize">Rows per batch.</param>
    /// <param name="seed">Chooses the order.</param>
    /// <param name="stages">In order, each with its end but the last.</param>
    /// <exception cref="UserInputException">The split has no text.</exception>
    public BatchSampler(TokenizedSplit split, int length, int batchSize, long seed, IReadOnlyList<MixtureStage> stages)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        _seed = seed;
        Length = length;
        BatchSize = batchSize;
        _domains = [.. split.Domains.Where(d => stages.Any(stage => stage.Weights.GetValueOrDefault(d.Name) > 0))];
        if (_domains.Count == 0)
            throw new UserInputException($"The split '{split.Split}' of the dataset has no text to draw from.");
        _schedule = new StagedSchedule(
            [.. stages.Select(stage => _domains.Select(d => stage.Weights.GetValueOrDefault(d.Name)).ToArray())],
            [.. stages.SkipLast(1).Select(stage => stage.Until!.Value)],
            seed);
    }

    /// <summary>Domains that sequences are drawn from.</summary>
    public IReadOnlyList<TokenizedDomain> Domains => _domains;

    /// <summary>
    /// By domain, which of its sequences are read when, where that goes by their loss; they are then cut at the same places in every reading.
    /// </summary>
    /// <value>none</value>
    public IReadOnlyDictionary<string, SampleGroups> Groups { get; set; } = new Dictionary<string, SampleGroups>();

    /// <summary>Inputs per sequence.</summary>
    public int Length { get; }

    /// <summary>Rows per batch.</summary>
    public int BatchSize { get; }

    /// <summary>Sequences that one reading of every domain gives, none of which shares a token with another.</summary>
    public long SequencesPerReading => _domains.Sum(d => d.Tokens / Length);

    /// <summary>Whether a sequence holds only tokens that its domain has not given before, and none of them twice.</summary>
    public bool IsFirstReading(long sequence)
    {
        var (domain, ordinal) = _schedule.At(sequence);
        return ordinal < _domains[domain].Tokens / Length;
    }

    /// <summary>By stage, the share of the sequences that each domain gives; they sum to 1.</summary>
    public IReadOnlyList<IReadOnlyDictionary<string, double>> Shares =>
        [.. _schedule.Shares.Select(stage => _domains.Zip(stage).Where(d => d.Second > 0).ToDictionary(d => d.First.Name, d => d.Second))];

    /// <summary>Batch number <paramref name="batch"/>: (batch size, length + 1) ids, row by row.</summary>
    public long[] Batch(long batch)
    {
        var ids = new long[BatchSize * (Length + 1)];
        var row = new int[Length + 1];
        for (var i = 0; i < BatchSize; i++)
        {
            Sequence(batch * BatchSize + i, row);
            for (var j = 0; j < row.Length; j++)
                ids[i * row.Length + j] = row[j];
        }
        return ids;
    }

    /// <summary>Domains of the sequences of batch number <paramref name="batch"/>, with how many there are of each.</summary>
    public IReadOnlyDictionary<string, int> DomainsOf(long batch) =>
        Enumerable.Range(0, BatchSize).Select(i => _domains[_schedule.At(batch * BatchSize + i).Domain].Name).CountBy(name => name).ToDictionary();

    /// <summary>How many of the first <paramref name="sequences"/> sequences each domain gives.</summary>
    public IReadOnlyDictionary<string, long> Counts(long sequences) =>
        _domains.Zip(_schedule.Counts(sequences)).ToDictionary(d => d.First.Name, d => d.Second);

    /// <summary>How often each domain has been read through after the first <paramref name="batches"/> batches.</summary>
    public IReadOnlyDictionary<string, double> Epochs(long batches) =>
        _schedule.Counts(batches * BatchSize)
            .Select((count, i) => (_domains[i].Name, Epochs: (double)count * Length / _domains[i].Tokens))
            .ToDictionary(d => d.Name, d => d.Epochs);

    private void Sequence(long sequence, Span<int> row)
    {
        var (index, ordinal) = _schedule.At(sequence);
        var domain = _domains[index];
        if (Groups.GetValueOrDefault(domain.Name) is { } groups)
        {
            domain.ReadCircular((long)groups.At(ordinal) * Length, row);
            return;
        }
        var perEpoch = Math.Max(1, domain.Tokens / Length);
        var (epoch, position) = Math.DivRem(ordinal, perEpoch);
        var slot = StatelessRandom.Permute(StatelessRandom.Key(_seed, domain.Name, epoch), position, perEpoch);
        var offset = StatelessRandom.Below(StatelessRandom.Key(_seed, domain.Name + "/offset", epoch), Math.Min(Length, domain.Tokens));
        domain.ReadCircular(slot * Length + offset, row);
    }
}
