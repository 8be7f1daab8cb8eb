using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.Checkpoints;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Calibration;

/// <summary>
/// The residual stream of the calibration text in front of the next layer, in float32. Layers are passed in their
/// quantized form, so each layer is measured with the inputs that it will really get.
/// </summary>
internal sealed class CalibrationStream : IDisposable
{
    private readonly List<Tensor> _batches; // (B, S, H) each
    private readonly Device _device;

    private CalibrationStream(List<Tensor> batches, Device device)
    {
        _batches = batches;
        _device = device;
    }

    /// <summary>Embeds the calibration text that the options name.</summary>
    public static async Task<CalibrationStream> OpenAsync(StageContext context, QuantizationWork work, CancellationToken cancellationToken)
    {
        var options = work.Options.Calibration
            ?? throw new UserInputException($"Method '{work.Method.Name}' learns from text: name it in 'calibration', as {{ data: corpus:NAME, samples: 128, length: 128 }}.");
        if (options.Length > work.Config.MaxPositions)
            throw new UserInputException($"'calibration.length' is {options.Length}, longer than the {work.Config.MaxPositions} positions of the model.");
        var tokens = await CalibrationText.LoadAsync(context, work, options, cancellationToken).ConfigureAwait(false);
        return Embed(tokens, work, options.Batch, device(context.Device));
    }

    /// <summary>Second moments of the inputs of a layer's matrices. The collector keeps the layer and the inputs of its block until it is disposed.</summary>
    public HessianCollector Measure(ModelConfig config, IWeightSource weights, int layer, HessianRequest request, CancellationToken cancellationToken)
    {
        using var untracked = no_grad();
        var collector = new HessianCollector(LayerDecoder.LoadLayer(config, weights, layer, _device), request);
        try
        {
            foreach (var batch in _batches)
            {
                cancellationToken.ThrowIfCancellationRequested();
                collector.Run(batch);
            }
            return collector;
        }
        catch
        {
            collector.Dispose();
            throw;
        }
    }

    /// <summary>Passes a layer.</summary>
    public void Advance(ModelConfig config, IWeightSource weights, int layer, CancellationToken cancellationToken)
    {
        using var untracked = no_grad();
        using var decoder = LayerDecoder.LoadLayer(config, weights, layer, _device);
        for (var i = 0; i < _batches.Count; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var next = decoder.RunLayer(0, _batches[i]).DetachFromDisposeScope();
            _batches[i].Dispose();
            _batches[i] = next;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var batch in _batches)
            batch.Dispose();
    }

    private static CalibrationStream Embed(long[,] tokens, QuantizationWork work, int batchSize, Device device)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        using var embedding = LayerDecoder.ReadEmbedding(work.Weights); // (V, H)
        var (samples, length) = (tokens.GetLength(0), tokens.GetLength(1));
        var batches = new List<Tensor>();
        foreach (var ids in tensor(tokens.Cast<long>().ToArray(), [samples, length], dtype: int64).split(batchSize))
        {
            batches.Add(LayerDecoder.Embed(embedding, ids, device).DetachFromDisposeScope());
        }
        return new CalibrationStream(batches, device);
    }
}
