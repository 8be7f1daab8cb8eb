using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Routing;

/// <summary>
/// How the router of one layer lies, see <see cref="RouterGeometry"/>: on its tokens in the first windows of the text, however these are cut into
/// batches, so that a position holds two numbers of most layers, and sums of those alone that have not seen all of these windows.
/// </summary>
internal sealed class RouterShape : IDisposable
{
    /// <summary>Windows that are looked at.</summary>
    public const int Windows = 8;

    private Tensor? _sums;   // (E, H) of the tokens of each expert
    private Tensor? _counts; // (E)
    private long _seen;      // windows

    /// <summary>Mean cosine of two rows.</summary>
    public double Similarity { get; private set; }

    /// <summary>Mean cosine of an expert's row and the mean of its tokens, in the windows so far.</summary>
    public double Alignment { get; private set; }

    /// <summary>Looks at the windows of a batch, as long as there are too few.</summary>
    public void Add(RoutingTrace trace, int windowLength)
    {
        if (_seen >= Windows)
            return;
        var windows = Math.Min(Windows - _seen, trace.Input.shape[0] / windowLength);
        using var scope = NewDisposeScope();
        var router = trace.Router!.detach().cpu();
        var (sums, counts) = RouterGeometry.SumsOf(trace, windows * windowLength);
        _sums ??= zeros(sums.shape, dtype: float64).DetachFromDisposeScope();
        _counts ??= zeros(counts.shape, dtype: float64).DetachFromDisposeScope();
        _sums.add_(sums.cpu());
        _counts.add_(counts.cpu());
        if (_seen == 0)
            Similarity = RouterGeometry.Similarity(router);
        Alignment = RouterGeometry.Alignment(router, _sums, _counts);
        _seen += windows;
        if (_seen == Windows)
            Dispose();
    }

    /// <summary>What it has seen.</summary>
    public Saved Save() => new(_seen, Similarity, Alignment, Values(_sums), Values(_counts));

    /// <summary>Takes back what <see cref="Save"/> gave.</summary>
    public void Restore(Saved saved)
    {
        Dispose();
        (_seen, Similarity, Alignment) = (saved.Seen, saved.Similarity, saved.Alignment);
        using var scope = NewDisposeScope();
        _counts = saved.Counts is null ? null : tensor(saved.Counts).DetachFromDisposeScope();
        _sums = saved.Sums is null ? null : tensor(saved.Sums).view(saved.Counts!.Length, -1).DetachFromDisposeScope();
    }

    /// <summary>Frees the sums.</summary>
    public void Dispose()
    {
        _sums?.Dispose();
        _counts?.Dispose();
        (_sums, _counts) = (null, null);
    }

    private static double[]? Values(Tensor? values) => values?.data<double>().ToArray();

    /// <summary>What a position holds; sums only while they grow.</summary>
    public sealed record Saved(long Seen, double Similarity, double Alignment, double[]? Sums, double[]? Counts);
}
