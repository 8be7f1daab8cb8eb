using System.Text.Json.Nodes;
using Espalier.Datasets.Sampling;
using Espalier.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Surgery.Calibration;

/// <summary>Calibration text as token ids.</summary>
/// <param name="sample">What was drawn.</param>
/// <param name="tokenizer">What made the ids.</param>
public sealed class CalibrationTokens(CalibrationSample sample, ITokenizer tokenizer)
{
    /// <summary>Number of sequences, at least 1.</summary>
    public int Samples => sample.Ids.GetLength(0);

    /// <summary>Tokens per sequence.</summary>
    public int Length => sample.Ids.GetLength(1);

    /// <summary>Says that there are fewer sequences than asked for; null when there are not.</summary>
    public string? Shortfall => Samples == sample.Asked ? null
        : $"The calibration text gives {Samples} of the {sample.Asked} sequences of {Length} tokens asked for: it has {sample.TextTokens} tokens, "
            + "and none is used twice. More text gives better results.";

    /// <summary>The sequences from <paramref name="first"/> on: (<paramref name="count"/>, length).</summary>
    public long[,] Rows(int first, int count)
    {
        var rows = new long[count, Length];
        Array.Copy(sample.Ids, (long)first * Length, rows, 0, rows.LongLength);
        return rows;
    }

    /// <summary>Some of the sequences as a text of its own, of which no more was asked for; all of them are as short of what was asked as these.</summary>
    public CalibrationTokens Slice(int first, int count) =>
        count == Samples ? this : new(sample with { Ids = Rows(first, count), Asked = count }, tokenizer);

    /// <summary>The first sequences, at most <paramref name="count"/>.</summary>
    public long[,] First(int count) => Rows(0, Math.Min(count, Samples));

    /// <summary>All sequences in <paramref name="parts"/> batches as even as can be; in one per sequence when there are fewer.</summary>
    public IReadOnlyList<long[,]> Split(int parts)
    {
        var count = Math.Min(parts, Samples);
        return [.. Enumerable.Range(0, count).Select(part => Rows(Start(part), Start(part + 1) - Start(part)))];

        int Start(int part) => (int)((long)part * Samples / count);
    }

    /// <summary>What was used, for the report.</summary>
    public JsonObject ToJson() => new()
    {
        ["samples"] = Samples,
        ["length"] = Length,
        ["tokens"] = (long)Samples * Length,
        ["samples-asked"] = sample.Asked,
        ["text-tokens"] = sample.TextTokens,
        ["bos"] = new JsonObject { ["added"] = tokenizer.AddsBeginToken, ["token-id"] = tokenizer.BeginTokenId },
    };

    /// <summary>As <see cref="Rows"/>: (count, length) int64, in the caller's dispose scope.</summary>
    internal Tensor Tensor(int first, int count) => tensor(Rows(first, count));
}
