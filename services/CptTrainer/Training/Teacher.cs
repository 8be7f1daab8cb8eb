using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Training;

/// <summary>The model that a run learns from beside the text: loaded once, run forward only.</summary>
internal sealed class Teacher : IDisposable
{
    private const double OperationsPerWeight = 2; // forward only

    private Teacher(ManifestRef source, Distillation distillation) => (Source, Distillation) = (source, distillation);

    /// <summary>Its checkpoint.</summary>
    public ManifestRef Source { get; }

    /// <summary>How the run learns from it.</summary>
    public Distillation Distillation { get; }

    /// <summary>What one token costs.</summary>
    public double OperationsPerToken => OperationsPerWeight * Distillation.Teacher.Config.ActiveParameters;

    /// <summary>Loads the teacher that the options name; null where they name none.</summary>
    /// <exception cref="UserInputException">It cannot teach this model.</exception>
    public static async Task<Teacher?> OpenAsync(StageContext context, TrainOptions options, StartingPoint start, CancellationToken cancellationToken)
    {
        if (context.Inputs.SingleOrDefault(i => i.Output == InputNames.Teacher)?.Artifact is not { } source)
            return null;
        var name = $"teacher {source.Root.Short}";
        if (source.Kind != ArtifactKind.Checkpoint)
            throw new UserInputException($"The {name} is no model: name a step's output 'model' in 'teacher', such as ${{base.model}}.");
        var reader = await CheckpointReader.OpenAsync(context.Artifacts, source, cancellationToken).ConfigureAwait(false);
        var config = DecoderFiles.ReadConfig(reader, name);
        Check(options, config, start.Decoder.Config);
        CheckTokenizer(reader, config, new TokenizerUse(options.Bos, options.Tokenizer), start.Tokenizer, name);
        var decoder = DecoderFiles.LoadDecoder(reader, name, float32, new Device(context.Device));
        if (decoder.Device.type != DeviceType.CPU)
            decoder.ComputeType = start.Decoder.ComputeType; // on the CPU the kernels run fp32
        var distill = options.Distill ?? new DistillOptions();
        return new Teacher(source, new Distillation(decoder) { Weight = distill.Weight, Temperature = distill.Temperature, Features = distill.Features });
    }

    /// <summary>Refuses a teacher whose shape does not fit, before anything is read of it.</summary>
    /// <exception cref="UserInputException">With what to change.</exception>
    public static void Check(TrainOptions options, ModelConfig teacher, ModelConfig student)
    {
        if (teacher.VocabularySize != student.VocabularySize)
        {
            throw new UserInputException(
                $"The teacher has a vocabulary of {teacher.VocabularySize} tokens and the model one of {student.VocabularySize}: a model learns from the "
                + "probabilities of its own tokens. Take a teacher with the model's tokenizer, or leave 'teacher' out.");
        }
        if (options.Length > teacher.LongestInput)
            throw new UserInputException($"length is {options.Length}, but the teacher is made for at most {teacher.DescribeLongestInput()}.");
        if (options.Distill is { Features: > 0 } && (teacher.Layers, teacher.HiddenSize) != (student.Layers, student.HiddenSize))
        {
            throw new UserInputException(
                $"distill.features compares hidden states layer by layer, but the teacher has {teacher.Layers} layers of width {teacher.HiddenSize} and "
                + $"the model {student.Layers} of width {student.HiddenSize}. Leave distill.features out.");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Distillation.Teacher.Dispose();

    private static void CheckTokenizer(CheckpointReader reader, ModelConfig config, TokenizerUse use, ITokenizer student, string name)
    {
        ITokenizer tokenizer;
        try
        {
            tokenizer = StoredTokenizer.Load(reader, config, use);
        }
        catch (InvalidTokenizerException e)
        {
            throw new UserInputException($"The {name} cannot teach: {e.Message}", e);
        }
        if (tokenizer.Digest != student.Digest || tokenizer.EndTokenId != student.EndTokenId)
        {
            throw new UserInputException(
                $"The {name} has as many tokens as the model, but another tokenizer: the same numbers mean other words. "
                + "Take a teacher with the model's tokenizer, or leave 'teacher' out.");
        }
    }
}
