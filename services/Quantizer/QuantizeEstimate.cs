using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Quantizer.Grids;
using Espalier.Quantizer.Methods;
using Espalier.Surgery.Calibration;
using Espalier.Surgery.Estimates;
using Espalier.Stages.Methods;

namespace Espalier.Quantizer;

/// <summary>What quantizing comes to: codes, scales and zero points are new, what keeps its weights is there already.</summary>
internal sealed class QuantizeEstimate : IStageEstimate
{
    public string Kind => StageKinds.Quantize;

    public StepEstimate Estimate(EstimateRequest step)
    {
        var options = step.Read<QuantizeOptions>();
        var source = step.Model();
        var config = source.Config;
        var (format, scheme) = QuantizationWork.ReadScheme(options);
        var quantization = scheme.In(format);
        if (config.Quantization is { } done)
            throw QuantizationWork.AlreadyDone(done);
        var targets = new TargetMatrices(config, options.Targets);
        targets.CheckFamily();
        var method = MethodCatalog<IQuantizationMethod>.Get(options.Method, "method");
        var schemes = QuantizationWork.SchemesOf(method, scheme, format);
        foreach (var kind in schemes)
            targets.Check(kind, format);
        QuantizationWork.CheckMethod(method, config);
        var matrices = Matrices(config, options.Targets).ToList();
        var plain = matrices.Sum(m => m.Count * m.Rows * m.Columns) * source.ElementBytes;
        var sizes = schemes.Select(kind => Packed(kind.In(format))).ToList();
        var packed = sizes[0];
        var result = config with { Quantization = quantization, TernaryExperts = config.TernaryExperts && !method.MakesTernary };
        var quantized = ModelHeader.Of(result, source.HasRouterBias, source.HasSelectionBias);
        quantized = quantized with { SizeBytes = quantized.SizeBytes - plain + packed };
        if (method is Mixed)
        {
            var fitting = Math.Min(Mixed.Budget(step.Read<Mixed.Settings>(), quantized.SizeBytes) - quantized.SizeBytes, sizes[^1] - packed);
            quantized = quantized with { SizeBytes = quantized.SizeBytes + fitting };
            packed += fitting;
        }
        var isCalibrated = method.NeedsText;
        return new StepEstimate
        {
            Model = quantized,
            NewBytes = (method is Mixed ? sizes.Sum() : packed) + 2 * quantized.ManifestBytes,
            SharedBytes = quantized.SizeBytes - packed,
            MemoryBytes = MemoryEstimate.Process + Math.Max(CheckedBytes(source),
                isCalibrated ? CalibratedBytes(options.Calibration ?? new BatchedCalibrationOptions(), config) : 3 * 4 * config.ExpertParameters),
            Operations = isCalibrated ? CalibratedOperations(options.Calibration ?? new BatchedCalibrationOptions(), config, matrices, method.Passes) : 0,
        };

        long Packed(WeightQuantization kind) =>
            matrices.Sum(m => m.Count * format.Layout("weight", m.Rows, m.Columns, kind).Sum(part => part.SizeBytes(source.ElementBytes)));
    }

    public IEnumerable<JsonObject> Smaller(EstimateRequest step)
    {
        if (step.Read<QuantizeOptions>().Calibration is not null)
            yield return new JsonObject { ["calibration"] = new JsonObject { ["batch"] = 1 } };
    }

    // The embedding, or the head, while it is looked through for NaN: itself, its magnitudes and three masks.
    private static long CheckedBytes(ModelHeader source) =>
        (2L * source.ElementBytes + 3) * source.Config.VocabularySize * source.Config.HiddenSize;

    private static IEnumerable<(long Count, long Rows, long Columns)> Matrices(ModelConfig config, QuantizationTargets targets)
    {
        var (mixtures, dense) = (config.SparseLayers.Count, config.Layers - config.SparseLayers.Count);
        foreach (var matrix in Mlp((long)mixtures * config.Experts, config.ExpertSize))
            yield return matrix;
        if (targets == QuantizationTargets.Experts)
            yield break;
        foreach (var matrix in Mlp(dense, config.DenseSize).Concat(Mlp(config.SharedSize > 0 ? mixtures : 0, config.SharedSize)))
            yield return matrix;
        if (config.Latent is { } latent)
        {
            yield return (config.Layers, latent.QueryRank ?? (long)config.Heads * config.HeadSize, config.HiddenSize);
            yield return (config.Layers, latent.KeyValueRank + latent.RotarySize, config.HiddenSize);
        }
        else
        {
            yield return (config.Layers, (long)config.Heads * config.HeadSize, config.HiddenSize);
            yield return (2L * config.Layers, (long)config.KeyValueHeads * config.HeadSize, config.HiddenSize);
        }
        yield return (config.Layers, config.HiddenSize, (long)config.Heads * config.ValueSize);

        IEnumerable<(long, long, long)> Mlp(long count, long inner) =>
            count == 0 ? [] : [(2 * count, inner, config.HiddenSize), (count, config.HiddenSize, inner)];
    }

    // A layer's weights, the stream of all text, what the block's experts saw of it, and one expert's Hessians in float64 with their factors.
    private static long CalibratedBytes(BatchedCalibrationOptions calibration, ModelConfig config)
    {
        var stream = 4L * calibration.Samples * calibration.Length * config.HiddenSize;
        var widest = new[] { config.HiddenSize, config.ExpertSize, config.DenseSize, config.SharedSize, config.Heads * config.ValueSize }.Max();
        return MemoryEstimate.Layer(config) + 2 * stream + MemoryEstimate.Forward(
            config with { VocabularySize = 1 }, (long)calibration.Batch * calibration.Length, calibration.Length) + 6 * 8L * widest * widest;
    }

    // Two passes over the text, the second moments, and a column solver whose work grows with rows x columns^2.
    private static double CalibratedOperations(
        CalibrationOptions calibration, ModelConfig config, List<(long Count, long Rows, long Columns)> matrices, double passes) =>
        4.0 * config.ActiveParameters * calibration.Samples * calibration.Length + passes * matrices.Sum(m => (double)m.Count * m.Rows * m.Columns * m.Columns);
}
