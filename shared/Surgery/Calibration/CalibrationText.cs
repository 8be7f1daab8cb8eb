using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Datasets.Sampling;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.Tokenizers;

namespace Espalier.Surgery.Calibration;

/// <summary>A step's calibration text in the model's own tokens, drawn once, when it is first needed.</summary>
/// <param name="context">The step; its input <c>calibration.data</c> is the text.</param>
/// <param name="model">The model, which brings the tokenizer.</param>
/// <param name="config">Its configuration.</param>
/// <param name="options">How much text; null when the step has none.</param>
/// <param name="seed">Seed of the draw.</param>
public sealed class CalibrationText(StageContext context, CheckpointReader model, ModelConfig config, CalibrationOptions? options, long seed)
{
    /// <summary>Whether the options name any.</summary>
    public bool IsGiven => options?.Data is not null;

    /// <summary>What was drawn; null before <see cref="LoadAsync"/>.</summary>
    public CalibrationTokens? Loaded { get; private set; }

    /// <summary>Draws the tokens. Fewer sequences than asked for are logged.</summary>
    /// <exception cref="UserInputException">The text has less than one sequence, the model cannot take the length, or its tokenizer cannot be used.</exception>
    public async Task<CalibrationTokens> LoadAsync(CancellationToken cancellationToken)
    {
        if (Loaded is not null)
            return Loaded;
        var (samples, length) = (options!.Samples, options.Length);
        if (length > config.LongestInput)
            throw new UserInputException($"'calibration.length' is {length}, but the model has {config.DescribeLongestInput()}.");
        var dataset = context.Dataset("calibration.data");
        var tokenizer = LoadTokenizer(options);
        var sample = await CalibrationSet.LoadAsync(
            context.Artifacts, dataset, tokenizer, samples, length, seed, context.Cache, context.Progress.Report, cancellationToken).ConfigureAwait(false);
        Loaded = new CalibrationTokens(sample, tokenizer);
        if (Loaded.Shortfall is { } shortfall)
            context.Progress.Log(shortfall);
        return Loaded;
    }

    private ITokenizer LoadTokenizer(CalibrationOptions options)
    {
        try
        {
            return StoredTokenizer.Load(model, config, new TokenizerUse(options.Bos, options.Tokenizer));
        }
        catch (InvalidTokenizerException e)
        {
            throw new UserInputException(e.Message, e);
        }
    }
}
