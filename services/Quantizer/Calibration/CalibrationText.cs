using Espalier.Modeling.Tokenizers;
using Espalier.Stages;
using Espalier.Stages.Data.Sampling;

namespace Espalier.Quantizer.Calibration;

/// <summary>The calibration text in the model's own tokens.</summary>
internal static class CalibrationText
{
    /// <summary>(samples, length) token ids.</summary>
    public static Task<long[,]> LoadAsync(StageContext context, QuantizationWork work, CalibrationOptions options, CancellationToken cancellationToken)
    {
        var source = work.Source;
        var tokenizer = TokenizerFiles.Load(name => source.HasFile(name) ? source.ReadFile(name) : null, work.Config.VocabularySize, work.Config.EosTokenId);
        return CalibrationSet.LoadAsync(
            context.Artifacts, context.Dataset("calibration.data"), tokenizer, options.Samples, options.Length, work.Options.Seed, context.Cache, context.Progress, cancellationToken);
    }
}
