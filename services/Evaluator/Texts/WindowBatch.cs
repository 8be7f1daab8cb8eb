using static TorchSharp.torch;

namespace Espalier.Evaluator.Texts;

/// <summary>Windows of one length that run together, so that nothing is padded.</summary>
internal sealed record WindowBatch(IReadOnlyList<Window> Windows)
{
    private int Length => Windows[0].Count;

    /// <summary>Tokens read.</summary>
    public int Tokens => Windows.Count * Length;

    /// <summary>Tokens scored.</summary>
    public int Scored => Windows.Sum(window => window.Documents.Length - window.Documents.Count(TokenStream.NotScored));

    /// <summary>All windows in order: full ones in batches, then the shorter last ones of the domains, equal lengths together.</summary>
    public static IReadOnlyList<WindowBatch> Of(IEnumerable<TokenStream> streams, int length, int batch) =>
    [
        .. streams.SelectMany(stream => stream.Windows(length))
            .GroupBy(window => window.Count)
            .OrderByDescending(group => group.Key)
            .SelectMany(group => group.Chunk(batch))
            .Select(windows => new WindowBatch(windows)),
    ];

    /// <summary>(B, L) int64: what the model reads.</summary>
    public Tensor Inputs()
    {
        var ids = new long[Tokens];
        for (var i = 0; i < Windows.Count; i++)
            Windows[i].CopyInputs(ids.AsSpan(i * Length, Length));
        return tensor(ids, [Windows.Count, Length], dtype: int64);
    }

    /// <summary>(B L) int64: what it should predict.</summary>
    public Tensor Targets()
    {
        var ids = new long[Tokens];
        for (var i = 0; i < Windows.Count; i++)
            Windows[i].Targets.CopyTo(ids.AsSpan(i * Length, Length));
        return tensor(ids, dtype: int64);
    }
}
