using Espalier.Pipelines.Options;
using Espalier.Tokenizers;

namespace Espalier.Evaluator;

/// <summary>Options of the stage <c>evaluate</c>.</summary>
public sealed record EvaluateOptions
{
    /// <summary>Computing in 32 bits.</summary>
    public const string Float32 = "fp32";

    /// <summary>Computing in bfloat16.</summary>
    public const string BFloat16 = "bf16";

    /// <summary>A model beside those of the steps in <c>needs</c>.</summary>
    [Option("A model to evaluate; may be left out when steps that make models are among the needs.", Kind = OptionKind.Model)]
    public string? From { get; init; }

    /// <summary>What to measure.</summary>
    /// <value>validation-loss</value>
    [Option("What to measure.", ChoicesOf = typeof(Evaluator.Tasks.IEvaluationTask))]
    public IReadOnlyList<string> Tasks { get; init; } = [Evaluator.Tasks.ValidationLossTask.TaskName];

    /// <summary>Text that no model was trained on.</summary>
    [Option("Dataset whose held-out documents and multiple-choice items are used; without it that of the nearest training step.",
        Kind = OptionKind.Dataset, Inherit = true)]
    public string? Data { get; init; }

    /// <summary>Which documents of the dataset.</summary>
    /// <value>held-out</value>
    [Option("Which documents: held-out; validation, if results may not be looked at yet; all, for text that no model here was trained on.",
        Choices = ["held-out", "validation", "all"])]
    public string Split { get; init; } = "held-out";

    /// <summary>Tokens of a window.</summary>
    /// <value>the shortest context among the models, at most 1024</value>
    [Option("Tokens of a window; the shortest context among the models, at most 1024, when left out.", Min = 2, Max = 1 << 20)]
    public int? Length { get; init; }

    /// <summary>Windows that run at once.</summary>
    /// <value>8</value>
    [Option("Windows that run at once; changes memory and speed.", Min = 1, Max = 4096)]
    public int Batch { get; init; } = 8;

    /// <summary>Largest number of documents.</summary>
    [Option("Most documents, taken from the domains in turn.", Kind = OptionKind.Count, Min = 1)]
    public long? MaxDocuments { get; init; }

    /// <summary>Largest number of scored tokens, end tokens included; never exceeded.</summary>
    [Option("Most scored tokens, end tokens included, counted with the first model's tokenizer; the last document is cut so that they are never more.",
        Kind = OptionKind.Count, Min = 1)]
    public long? MaxTokens { get; init; }

    /// <summary>Largest number of multiple-choice items of each set.</summary>
    [Option("Most multiple-choice items of each set.", Kind = OptionKind.Count, Min = 1)]
    public long? Items { get; init; }

    /// <summary>Whether documents and contexts begin with the beginning-of-text token.</summary>
    /// <value>tokenizer</value>
    [Option("Whether documents and contexts begin with the beginning-of-text token: as the tokenizer's own configuration says, always, or never.")]
    public BosUse Bos { get; init; } = BosUse.Tokenizer;

    /// <summary>Where tokens come from.</summary>
    /// <value>model</value>
    [Option("Where tokens come from: the model's own files; bytes: UTF-8 bytes for models that have no tokenizer of any kind.")]
    public TokenizerChoice Tokenizer { get; init; } = TokenizerChoice.Model;

    /// <summary>Number format of weights and activations.</summary>
    /// <value>fp32</value>
    [Option("Number format of weights and activations.", Choices = [Float32, BFloat16])]
    public string Precision { get; init; } = Float32;

    /// <summary>Experts per token, in place of the models' own number.</summary>
    /// <value>the models' own</value>
    [Option("Experts per token, in place of the models' own number: for models that were trained with several ('elastic'); left out: their own.",
        Min = 1, Max = 1 << 16)]
    public int? ExpertsPerToken { get; init; }

    /// <summary>Model that the others are compared with.</summary>
    [Option("Step whose model the others are compared with, in pairs over the same documents.")]
    public string? Baseline { get; init; }

    /// <summary>Model that the task agreement compares with.</summary>
    /// <value>the baseline, else the first model</value>
    [Option("Step whose model the task agreement compares the others with, usually the one before compression; "
        + "the baseline, else the first model, when left out.")]
    public string? Reference { get; init; }

    /// <summary>Coverage of intervals.</summary>
    /// <value>0.95</value>
    [Option("Confidence of the intervals.", Min = 0.5, Max = 0.9999)]
    public double Confidence { get; init; } = 0.95;

    /// <summary>Number of bootstrap draws.</summary>
    /// <value>10000</value>
    [Option("Bootstrap draws behind the intervals; with fewer than 30 documents they are Student's t instead.", Min = 100, Max = 1_000_000)]
    public int Resamples { get; init; } = 10_000;

    /// <summary>Whether <c>xz -9</c> is run on the same text.</summary>
    /// <value>true</value>
    [Option("Run xz -9 on the same text, when it is installed, as a yardstick for bits per byte.")]
    public bool Xz { get; init; } = true;

    /// <summary>Token ids for the task <c>logits</c>.</summary>
    [Option("Token ids for the task logits: sequences of one length.")]
    public IReadOnlyList<IReadOnlyList<int>>? Tokens { get; init; }

    /// <summary>Seed of the bootstrap draws and of shuffled labels.</summary>
    /// <value>0</value>
    [Option("Seed of the bootstrap draws and of shuffled labels.")]
    public long Seed { get; init; }
}
