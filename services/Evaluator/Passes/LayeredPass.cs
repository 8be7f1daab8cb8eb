using Espalier.Evaluator.Texts;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Passes;

/// <summary>
/// Runs a pass with one layer in memory at a time. As many batches as <see cref="StreamBytes"/> holds go through all layers together, so that
/// weights are read once for all of them; the position is saved behind every layer.
/// </summary>
internal sealed class LayeredPass : IDisposable
{
    /// <summary>Bytes of the streams of one model that wait between layers; one batch may have more.</summary>
    public const long StreamBytes = 256L << 20;

    private readonly StageContext _context;
    private readonly PassWork _work;
    private readonly LayeredPosition _position;
    private readonly CancellationToken _cancellationToken;

    private LayeredPass(StageContext context, PassWork work, LayeredPosition position, CancellationToken cancellationToken) =>
        (_context, _work, _position, _cancellationToken) = (context, work, position, cancellationToken);

    /// <summary>The numbers of every batch.</summary>
    /// <param name="context">Receives progress.</param>
    /// <param name="work">What to do.</param>
    /// <param name="unfinished">Where positions of this pass are kept.</param>
    /// <param name="streamBytes">In place of <see cref="StreamBytes"/>.</param>
    /// <param name="cancellationToken">Stops it behind a batch.</param>
    public static async Task<IReadOnlyList<double[]>> RunAsync(
        StageContext context, PassWork work, UnfinishedPass unfinished, long streamBytes, CancellationToken cancellationToken)
    {
        using var position = await LayeredPosition.RestoreAsync(work, unfinished, cancellationToken).ConfigureAwait(false);
        using var pass = new LayeredPass(context, work, position, cancellationToken);
        while (position.Results.Count < work.Batches.Count)
            await pass.RunChunkAsync(Chunk(work, position.Results.Count, streamBytes)).ConfigureAwait(false);
        return position.Results;
    }

    /// <inheritdoc/>
    public void Dispose() => LayeredModel.Release();

    /// <summary>The batches from <paramref name="first"/> on that go through the layers together.</summary>
    internal static IReadOnlyList<ITokenBatch> Chunk(PassWork work, int first, long streamBytes)
    {
        var width = work.Models.Max(model => model.Config.HiddenSize) * (long)sizeof(float);
        var (chunk, left) = (new List<ITokenBatch>(), streamBytes);
        foreach (var batch in work.Batches.Skip(first))
        {
            left -= batch.Tokens * width;
            if (chunk.Count > 0 && left < 0)
                break;
            chunk.Add(batch);
        }
        return chunk;
    }

    private async Task RunChunkAsync(IReadOnlyList<ITokenBatch> chunk)
    {
        for (; _position.Model < _work.Models.Count; _position.NextModel())
        {
            var model = _work.Models[_position.Model];
            if (_position.Streams.Count <= _position.Model)
                _position.Streams.Add([.. model.Embed(chunk)]);
            for (; _position.Layer < model.Config.Layers; await _position.SaveAsync(_cancellationToken).ConfigureAwait(false))
            {
                Report(model, chunk, $"layer {_position.Layer + 1} of {model.Config.Layers}");
                RunLayer(model, chunk, _position.Streams[_position.Model]);
                _position.NextLayer();
            }
        }
        Report(_work.Models[^1], chunk, "head");
        _position.Finish(RunHeads(chunk));
        if (_position.Results.Count < _work.Batches.Count)
            await _position.SaveAsync(_cancellationToken).ConfigureAwait(false);
    }

    private void RunLayer(ModelUnderTest model, IReadOnlyList<ITokenBatch> chunk, List<Tensor> streams)
    {
        using (var decoder = model.LoadLayer(_position.Layer))
        {
            for (var b = 0; b < chunk.Count; b++)
            {
                _cancellationToken.ThrowIfCancellationRequested();
                using var before = streams[b];
                streams[b] = LayeredModel.RunLayer(decoder, _position.Layer, before, trace => _work.Routing?.Add(trace, chunk[b].Length)); // (B, L, H)
            }
        }
        LayeredModel.Release();
    }

    private List<double[]> RunHeads(IReadOnlyList<ITokenBatch> chunk)
    {
        var heads = _work.Models.Select(model => model.LoadHead()).ToList();
        try
        {
            var results = new List<double[]>(chunk.Count);
            for (var b = 0; b < chunk.Count; b++)
            {
                _cancellationToken.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                using var untracked = no_grad();
                results.Add(_work.Finish(chunk[b], [.. heads.Select(
                    (head, m) => new BehindLayers(head, _position.Streams[m][b].flatten(0, 1).to(head.Device)))])); // (B L, H)
            }
            return results;
        }
        finally
        {
            heads.ForEach(head => head.Dispose());
        }
    }

    // One unit is a layer with one token of text: what is left of a pass is about as long as what is left of these.
    private void Report(ModelUnderTest model, IReadOnlyList<ITokenBatch> chunk, string where)
    {
        var layers = _work.Models.Sum(m => (long)m.Config.Layers);
        var (passed, all) = (_work.Batches.Take(_position.Results.Count).Sum(b => (long)b.Tokens), _work.Batches.Sum(b => (long)b.Tokens));
        var inChunk = _work.Models.Take(_position.Model).Sum(m => (long)m.Config.Layers) + _position.Layer;
        var name = _work.Models.Count > 1 ? $"{_work.Phase}: {model.Step}, {where}" : $"{_work.Phase}: {where}";
        _context.Progress.Report(name, passed * layers + chunk.Sum(b => (long)b.Tokens) * inChunk, all * layers, "tokens in layers");
    }
}
