using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Folding;
using Espalier.Quantizer.Methods;
using Espalier.Stages;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer;

/// <summary>Quantizes the matrices of one layer and writes them packed.</summary>
/// <param name="work">Scheme, format and method.</param>
/// <param name="context">The step.</param>
/// <param name="writer">Where the layer goes.</param>
/// <param name="fold">Scales that the layer's weights are multiplied by; null for none.</param>
internal sealed class LayerQuantizer(QuantizationWork work, StageContext context, CheckpointWriter writer, LayerFold? fold)
{
    /// <summary>Bytes written so far.</summary>
    public long PackedBytes { get; private set; }

    /// <summary>Quantizes one matrix, writes it, and returns its line of the report.</summary>
    public async Task<MatrixRecord> QuantizeAsync(string name, HessianCollector? collector, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var (packed, record) = Quantize(name, collector);
        foreach (var part in packed)
        {
            await writer.AddTensorAsync(part.Name, part.DType, part.Shape, part.Bytes, cancellationToken).ConfigureAwait(false);
            PackedBytes += part.Bytes.Length;
        }
        return record;
    }

    private (IReadOnlyList<StoredTensor> Packed, MatrixRecord Record) Quantize(string name, HessianCollector? collector)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var stored = work.ReadMatrix(name);
        var (weight, inputs, scales) = (stored.to(float32), work.Method.NeedsMoments ? collector?.Find(name) : null, fold?.ColumnScales(name));
        if (fold is not null)
            weight = fold.Apply(name, weight);
        if (inputs is not null && scales is not null)
        {
            var wide = scales.to(inputs.Hessian.dtype).to(inputs.Hessian.device);
            inputs = inputs with { Hessian = inputs.Hessian / wide.unsqueeze(0) / wide.unsqueeze(1) }; // of x / s
        }
        if (inputs is not null)
            weight = weight.to(inputs.Hessian.device);
        var matrix = new MatrixToQuantize(name, weight, stored.dtype, inputs) { ColumnScales = scales };
        var quantized = work.Method.Quantize(matrix, work.Scheme, context);
        return (CodedTensors.Of(quantized, work.Format, work.Scheme, stored.dtype), quantized.Record);
    }
}
