using Espalier.Surgery.Checkpoints;
using Espalier.Stages;
using Espalier.Datasets.Sampling;

namespace Espalier.Quantizer.Calibration;

/// <summary>The calibration text in the model's own tokens.</summary>
internal static class CalibrationText
{
    /// <summary>(samples, length) token ids.</summary>
    public static Task<long[,]> LoadAsync(StageContext context, QuantizationWork work, CalibrationOptions options, CancellationToken cancellationToken)
    {
        var tokenizer = StoredTokenizer.Load(work.Source, work.Config);
        return CalibrationSet.LoadAsync(
            context.Artifacts, context.Dataset("calibration.data"), tokenizer, options.Samples, options.Length, work.Options.Seed, context.Cache, context.Progress.Report, cancellationToken);
    }
}
