using System.Globalization;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Evaluator.Texts;
using Espalier.Modeling;
using Espalier.Tokenizers;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Passes;

/// <summary>One model of the evaluation: its files are read at once, its weights only when a task needs them, whole or a layer at a time.</summary>
internal sealed class ModelUnderTest : IDisposable
{
    private const string ConfigFile = "config.json";

    private readonly CheckpointReader _reader;
    private readonly ScalarType _type;
    private readonly TokenizerUse _use;
    private MoeDecoder? _decoder;
    private LayeredModel? _layers;
    private ITokenizer? _tokenizer;

    private ModelUnderTest(string step, CheckpointReader reader, Device device, EvaluateOptions options)
    {
        Step = step;
        _reader = reader;
        Device = device;
        _type = options.Precision == EvaluateOptions.BFloat16 ? bfloat16 : float32;
        _use = new TokenizerUse(options.Bos, options.Tokenizer);
        Config = With(
            options.ExpertsPerToken,
            ModelConfig.Parse(reader.HasFile(ConfigFile) ? reader.ReadFile(ConfigFile) : throw new InvalidModelException($"{ConfigFile} is missing")));
    }

    /// <summary>Step that made the model.</summary>
    public string Step { get; }

    /// <summary>Digest of its manifest.</summary>
    public Digest Root => _reader.Root;

    /// <summary>Its configuration.</summary>
    public ModelConfig Config { get; }

    /// <summary>Where it runs.</summary>
    public Device Device { get; }

    /// <summary>Whether its weights are in memory whole while it is measured; else <see cref="Decoder"/> is not asked for.</summary>
    public bool IsWhole { get; private set; } = true;

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
    public MoeDecoder Decoder => _decoder ??= Guard(Step, () => MoeDecoder.Load(Config, new StoredWeights(_reader), _type, Device));

    /// <summary>The weights, a layer at a time.</summary>
    public LayeredModel Layers => _layers ??= Guard(Step, () =>
    {
        MoeDecoder.Check(Config, new StoredWeights(_reader));
        return new LayeredModel(Config, new StoredWeights(_reader), Device, _type);
    });

    /// <summary>Decides how its weights are held.</summary>
    /// <returns>What people should know of it; null for nothing.</returns>
    public string? Place(ModelPlacement placement, bool mustSave)
    {
        IsWhole = !mustSave && placement.IsWhole(Config);
        return IsWhole ? null
            : $"{Step}: runs a layer at a time. Whole it would take about {Gibibytes(placement.WholeBytes(Config))}, "
                + (mustSave ? "and an attempt before this one ran out of memory." : $"and {Gibibytes(placement.FreeBytes)} are free.");
    }

    /// <summary>Embeds batches: (B, L, H) each, on the CPU, in no dispose scope.</summary>
    public IReadOnlyList<Tensor> Embed(IEnumerable<ITokenBatch> batches) =>
        Guard(Step, () => Layers.Embed(batches.Select<ITokenBatch, Func<Tensor>>(batch => batch.Inputs)));

    /// <summary>Loads one layer alone; the caller disposes it.</summary>
    public MoeDecoder LoadLayer(int layer) => Guard(Step, () => Layers.LoadLayer(layer));

    /// <summary>Loads the last norm and the head; the caller disposes it.</summary>
    public MoeDecoder LoadHead() => Guard(Step, Layers.LoadHead);

    /// <summary>What <paramref name="run"/> makes of the weights, a layer at a time; what is wrong with them names the model.</summary>
    public T Guard<T>(Func<LayeredModel, T> run) => Guard(Step, () => run(Layers));

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

    private static ModelConfig With(int? perToken, ModelConfig config)
    {
        if (perToken is not { } count || !config.IsMixture)
            return config;
        var most = config.SiblingExclusive ? config.ExpertsPerToken : config.Experts / config.ExpertGroups * config.ChosenGroups;
        return count <= most ? config with { ExpertsPerToken = count }
            : throw new InvalidModelException($"'experts-per-token' is {count}, and its tokens can use {most} at most.");
    }

    private static string Gibibytes(long bytes) =>
        string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.0} GiB");

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
