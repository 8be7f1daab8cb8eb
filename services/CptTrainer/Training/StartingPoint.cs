using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using Espalier.Tokenizers;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.Datasets;
using Espalier.Datasets.Tokens;
using Espalier.CptTrainer.Training.Teams;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Training;

/// <summary>What a run starts from: a fresh model with its tokenizer, or a checkpoint; and the data in its tokens.</summary>
public sealed class StartingPoint : IDisposable
{
    private const string ConfigFile = "config.json";
    private const long VocabularyBytes = 2 << 20; // of each domain, to learn a vocabulary from

    private readonly Func<MoeDecoder> _open;

    private StartingPoint(
        TrainOptions options, Func<MoeDecoder> open, ManifestRef? source, ITokenizer tokenizer, IReadOnlyDictionary<string, byte[]> sideFiles,
        TrainingData data) =>
        (Options, _open, Decoder, Source, Tokenizer, SideFiles, Data) = (options, open, open(), source, tokenizer, sideFiles, data);

    /// <summary>The options, with numbers for what was left to the <see cref="StepLaw"/>.</summary>
    public TrainOptions Options { get; }

    /// <summary>The model, with master weights.</summary>
    public MoeDecoder Decoder { get; }

    /// <summary>The checkpoint it came from, or null.</summary>
    public ManifestRef? Source { get; }

    /// <summary>What the first means of routers of k-means are made of.</summary>
    public RouterStart RouterStart { get; private init; }

    /// <summary>What turns text into its tokens.</summary>
    public ITokenizer Tokenizer { get; }

    /// <summary>Files beside the configuration that the trained model carries on: tokenizer, generation settings.</summary>
    public IReadOnlyDictionary<string, byte[]> SideFiles { get; }

    /// <summary>Batches by step.</summary>
    public TrainingData Data { get; }

    /// <summary>Reads the inputs of a step.</summary>
    /// <exception cref="UserInputException">Model, options and data do not fit.</exception>
    public static async Task<StartingPoint> OpenAsync(StageContext context, TrainOptions options, CancellationToken cancellationToken)
    {
        var dataset = await TextDataset.OpenAsync(context.Artifacts, context.Dataset(), cancellationToken).ConfigureAwait(false);
        var source = context.FindModel();
        if (source is null && options.Model is null)
            throw new UserInputException(
                $"Step '{context.Step.Name}' has nothing to train: give the shape of a new model in 'model', "
                + "or a model to continue from in 'from' or 'needs'.");
        if (source is null && options.Bos == BosUse.Always)
            throw new UserInputException("'bos' is 'always', but the vocabulary of a new model has no beginning-of-text token. Leave 'bos' out.");
        if (source is not null && options.Model is not null)
            throw new UserInputException($"Step '{context.Step.Name}' has both 'model', the shape of a new one, and a model to continue from: leave one out.");

        var (config, reader, tokenizer) = source is null
            ? await FromScratchAsync(options.Model!, dataset, context, cancellationToken).ConfigureAwait(false)
            : await FromCheckpointAsync(context, source, new TokenizerUse(options.Bos, options.Tokenizer), cancellationToken).ConfigureAwait(false);
        CheckLength(options, config);
        WeightGroups.Check(config, options);
        MixtureMethods.Check(options, config);
        Sparsification.Check(options, config);
        TeamRules.Check(config, options);
        options = StepLaw.Resolve(options, config);
        var device = new Device(context.Device);
        var data = await TrainingData.OpenAsync(context, options, dataset, tokenizer, device, cancellationToken).ConfigureAwait(false);
        try
        {
            var master = options.Master == Precision.Bf16 ? ScalarType.BFloat16 : ScalarType.Float32;
            var start = new StartingPoint(options, Open, source, tokenizer, SideFilesOf(reader, tokenizer), data)
            {
                RouterStart = source is null ? RouterStart.Seeds : config.Router == RouterKind.KMeans ? RouterStart.Rows : RouterStart.Tokens,
            };
            try
            {
                data.PruneSamples(options, start.Decoder, context.Progress, cancellationToken);
                return start;
            }
            catch
            {
                start.Decoder.Dispose();
                throw;
            }

            MoeDecoder Open()
            {
                var decoder = reader is null
                    ? MoeDecoder.Create(config, options.Seed, device, master)
                    : DecoderFiles.LoadDecoder(reader, $"model {source!.Root.Short}", master, device);
                MixtureMethods.Apply(options, decoder);
                MixtureMethods.CheckBias(options, decoder.Config, decoder.HasRouterBias);
                decoder.ComputeType = options.Precision == Precision.Bf16 ? ScalarType.BFloat16 : ScalarType.Float32;
                return decoder;
            }
        }
        catch
        {
            data.Dispose();
            throw;
        }
    }

    /// <summary>Refuses sequences that the model cannot take.</summary>
    /// <exception cref="UserInputException">They are longer than its positions.</exception>
    internal static void CheckLength(TrainOptions options, ModelConfig config)
    {
        if (options.Length > config.LongestInput)
            throw new UserInputException($"length is {options.Length}, but the model is made for at most {config.DescribeLongestInput()}.");
    }

    /// <summary>Sets the weights to what they were at the start.</summary>
    public void Restore()
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        using var fresh = _open();
        Decoder.Buffer.Values.copy_(fresh.Buffer.Values);
        foreach (var layer in Decoder.Config.SparseLayers)
        {
            if (Decoder.SelectionBias(layer) is not { } bias)
                continue;
            if (fresh.SelectionBias(layer) is { } first)
                bias.copy_(first);
            else
                bias.zero_();
        }
    }

    /// <summary>Frees the model and closes the data.</summary>
    public void Dispose()
    {
        Decoder.Dispose();
        Data.Dispose();
    }

    private static async Task<(ModelConfig, CheckpointReader?, ITokenizer)> FromScratchAsync(
        ModelOptions model, TextDataset dataset, StageContext context, CancellationToken cancellationToken)
    {
        ITokenizer tokenizer;
        if (model.TrainedVocabulary() is { } size)
        {
            tokenizer = await LearntVocabulary.OpenAsync(
                dataset, size, VocabularyBytes, context.Cache, context.Progress.Log, cancellationToken).ConfigureAwait(false);
        }
        else
            tokenizer = ByteLevelBpe.OfBytes();
        return (model.ToConfig(tokenizer), null, tokenizer);
    }

    private static async Task<(ModelConfig, CheckpointReader?, ITokenizer)> FromCheckpointAsync(
        StageContext context, ManifestRef source, TokenizerUse use, CancellationToken cancellationToken)
    {
        var name = $"model {source.Root.Short}";
        var reader = await CheckpointReader.OpenAsync(context.Artifacts, source, cancellationToken).ConfigureAwait(false);
        var config = DecoderFiles.ReadConfig(reader, name);
        try
        {
            return (config, reader, StoredTokenizer.Load(reader, config, use));
        }
        catch (InvalidTokenizerException e)
        {
            throw new UserInputException($"The {name} cannot be trained: {e.Message}", e);
        }
    }

    private static IReadOnlyDictionary<string, byte[]> SideFilesOf(CheckpointReader? reader, ITokenizer tokenizer) =>
        reader is null
            ? tokenizer.Files
            : reader.Manifest.Files.Where(file => file.Path != ConfigFile).ToDictionary(file => file.Path, file => reader.ReadFile(file.Path));
}
