using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Methods;
using Espalier.Stages;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer;

/// <summary>Quantizes the matrices of one layer and writes them packed.</summary>
internal sealed class LayerQuantizer(QuantizationWork work, StageContext context, CheckpointWriter writer)
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
        var stored = Read(name);
        var matrix = new MatrixToQuantize(name, stored.to(float32), stored.dtype, collector?.Find(name));
        var quantized = work.Method.Quantize(matrix, work.Scheme, context);
        return (CodedTensors.Of(quantized, work, stored.dtype), quantized.Record);
    }

    private Tensor Read(string name)
    {
        if (!work.Weights.Names.Contains(name))
            throw new UserInputException($"The model lacks tensor '{name}', which its config.json calls for.");
        var stored = work.Weights.Read(name);
        if (stored.dtype is not (ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16) || stored.dim() != 2)
            throw new UserInputException(
                $"Tensor '{name}' is {stored.dtype} [{string.Join(", ", stored.shape)}]; a matrix of float32, bfloat16 or float16 can be quantized.");
        QuantizationWork.RefuseNonFinite(name, stored);
        return stored;
    }
}
