using static TorchSharp.torch;

namespace Espalier.Evaluator.Texts;

/// <summary>Windows of one length that run together, so that nothing is padded.</summary>
internal sealed record WindowBatch(IReadOnlyList<Window> Windows) : ITokenBatch
{
    /// <inheritdoc/>
    public int Length => Windows[0].Count;

    /// <inheritdoc/>
    public int Tokens => Windows.Count * Length;

    /// <summary>Tokens scored.</summary>
    public int Scored => Windows.Sum(window => window.Documents.Length - window.Documents.Count(TokenStream.NotScored));

    /// <summary>Document of each token, or <see cref="TokenStream.NotScored"/>, in the order of <see cref="Targets"/>.</summary>
    public IEnumerable<int> Documents => Windows.SelectMany(window => window.Documents.ToArray());

    /// <summary>All windows in order: full ones in batches, then the shorter last ones of the domains, equal lengths together.</summary>
    public static IReadOnlyList<WindowBatch> Of(IEnumerable<TokenStream> streams, int length, int batch) =>
    [
        .. streams.SelectMany(stream => stream.Windows(length))
            .GroupBy(window => window.Count)
            .OrderByDescending(group => group.Key)
            .SelectMany(group => group.Chunk(batch))
            .Select(windows => new WindowBatch(windows)),
    ];

    /// <inheritdoc/>
    public Tensor Inputs()
    {
        var ids = new long[Tokens];
        for (var i = 0; i < Windows.Count; i++)
            Windows[i].CopyInputs(ids.AsSpan(i * Length, Length));
        return tensor(ids, [Windows.Count, Length], dtype: int64);
    }

    /// <inheritdoc/>
    public Tensor Targets()
    {
        var ids = new long[Tokens];
        for (var i = 0; i < Windows.Count; i++)
            Windows[i].Targets.CopyTo(ids.AsSpan(i * Length, Length));
        return tensor(ids, dtype: int64);
    }
}
