using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Tokenizers;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Passes;

/// <summary>One model of the evaluation: its files are read at once, its weights only when a task needs them.</summary>
internal sealed class ModelUnderTest : IDisposable
{
    private const string ConfigFile = "config.json";

    private readonly CheckpointReader _reader;
    private readonly Device _device;
    private readonly ScalarType _type;
    private readonly TokenizerUse _use;
    private MoeDecoder? _decoder;
    private ITokenizer? _tokenizer;

    private ModelUnderTest(string step, CheckpointReader reader, Device device, EvaluateOptions options)
    {
        Step = step;
        _reader = reader;
        _device = device;
        _type = options.Precision == EvaluateOptions.BFloat16 ? bfloat16 : float32;
        _use = new TokenizerUse(options.Bos, options.Tokenizer);
        Config = ModelConfig.Parse(reader.HasFile(ConfigFile) ? reader.ReadFile(ConfigFile) : throw new InvalidModelException($"{ConfigFile} is missing"));
    }

    /// <summary>Step that made the model.</summary>
    public string Step { get; }

    /// <summary>Digest of its manifest.</summary>
    public Digest Root => _reader.Root;

    /// <summary>Its configuration.</summary>
    public ModelConfig Config { get; }

    /// <summary>Its tokenizer, loaded at the first call: ids that are given need none.</summary>
    public ITokenizer Tokenizer => _tokenizer ??= Guard(Step, () => StoredTokenizer.Load(_reader, Config, _use));

    /// <summary>Its tokenizer; null when it has none that can be used.</summary>
    public ITokenizer? TokenizerOrNull
    {
        get
        {
            try
            {
                return Tokenizer;
            }
            catch (UserInputException)
            {
                return null; // a task that needs text has said so
            }
        }
    }

    /// <summary>Equal for models that get the same tokens of a text, those around it included; null without a tokenizer.</summary>
    public string? TextDigest =>
        TokenizerOrNull is { } tokenizer ? $"{tokenizer.Digest}/{(tokenizer.AddsBeginToken ? tokenizer.BeginTokenId : null)}" : null;

    /// <summary>Bytes of its weights as stored.</summary>
    public long WeightBytes => _reader.Manifest.Tensors.Sum(t => t.SizeBytes);

    /// <summary>Bytes of everything in its manifest.</summary>
    public long Bytes => _reader.Manifest.SizeBytes;

    /// <summary>The weights, loaded at the first call; packed ones are expanded from their packed form.</summary>
    public MoeDecoder Decoder => _decoder ??= Guard(Step, () => MoeDecoder.Load(Config, new StoredWeights(_reader), _type, _device));

    /// <summary>Opens a model of the step's inputs.</summary>
    public static async Task<ModelUnderTest> OpenAsync(StageContext context, StepInput input, EvaluateOptions options, CancellationToken cancellationToken)
    {
        var reader = await CheckpointReader.OpenAsync(context.Artifacts, input.Artifact, cancellationToken).ConfigureAwait(false);
        return Guard(input.Step, () => new ModelUnderTest(input.Step, reader, device(context.Device), options));
    }

    /// <summary>Frees the weights; they are loaded again when they are needed again.</summary>
    public void Dispose()
    {
        _decoder?.Dispose();
        _decoder = null;
    }

    private static T Guard<T>(string step, Func<T> load)
    {
        try
        {
            return load();
        }
        catch (Exception e) when (e is InvalidModelException or InvalidTokenizerException)
        {
            throw new UserInputException($"The model of '{step}' cannot be evaluated: {e.Message}", e);
        }
    }
}
