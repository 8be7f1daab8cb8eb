namespace Espalier.Contracts;

/// <summary>What an artifact is.</summary>
public enum ArtifactKind
{
    /// <summary>Weights, configuration and tokenizer of a model.</summary>
    Checkpoint,

    /// <summary>Cleaned text, split into train and held-out documents.</summary>
    Dataset,

    /// <summary>Results that readers and gates look at: JSON and HTML files.</summary>
    Report,

    /// <summary>Optimizer moments, step counter, random state and data cursor of a training run.</summary>
    TrainerState,
}

/// <summary>Names one immutable artifact: its kind and the digest of its manifest.</summary>
/// <param name="Kind">What the artifact is.</param>
/// <param name="Root">SHA-256 of the canonical manifest.</param>
/// <param name="SizeBytes">Logical size: the bytes of everything the manifest lists.</param>
public sealed record ManifestRef(ArtifactKind Kind, Digest Root, long SizeBytes);

/// <summary>One artifact handed to a step.</summary>
/// <param name="Step">Name of the step that produced it, or of the pipeline parameter that named it.</param>
/// <param name="Output">Which output of that step: <c>model</c>, <c>trainer-state</c>, <c>data</c> or <c>report</c>.</param>
/// <param name="Artifact">The artifact.</param>
public sealed record StepInput(string Step, string Output, ManifestRef Artifact);

/// <summary>Where a step sits: which run, which step of its pipeline, and the key that names the work itself.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Name">The step's name within the pipeline.</param>
/// <param name="Key">Digest of everything the result depends on; equal keys mean equal results.</param>
public sealed record StepAddress(Guid RunId, string Name, Digest Key);

/// <summary>The stage kinds that services offer.</summary>
public static class StageKinds
{
    /// <summary>Turns a corpus into a dataset artifact.</summary>
    public const string Dataset = "dataset";

    /// <summary>Trains from scratch or continues pre-training.</summary>
    public const string Train = "train";

    /// <summary>Grows a mixture of experts.</summary>
    public const string Upcycle = "upcycle";

    /// <summary>Removes experts or narrows them.</summary>
    public const string Prune = "prune";

    /// <summary>Makes one model of several.</summary>
    public const string Merge = "merge";

    /// <summary>Stores weights in fewer bits.</summary>
    public const string Quantize = "quantize";

    /// <summary>Measures models.</summary>
    public const string Evaluate = "evaluate";

    /// <summary>Runs a program of the user's own that makes a model.</summary>
    public const string Command = "command";

    /// <summary>Gives a model a name, a version and an alias.</summary>
    public const string Register = "register";
}

/// <summary>What a model is for the step that gets it, where an option names it.</summary>
public static class InputNames
{
    /// <summary>The model that the step works on.</summary>
    public const string From = "from";

    /// <summary>The model that a training step learns from.</summary>
    public const string Teacher = "teacher";
}

/// <summary>Names of step outputs.</summary>
public static class OutputNames
{
    /// <summary>A checkpoint.</summary>
    public const string Model = "model";

    /// <summary>What a trainer needs to go on.</summary>
    public const string TrainerState = "trainer-state";

    /// <summary>A dataset.</summary>
    public const string Data = "data";

    /// <summary>A report.</summary>
    public const string Report = "report";

    /// <summary>A checkpoint: the moving average of a run's weights.</summary>
    public const string Ema = "ema";

    /// <summary>A checkpoint: the weights from before a run's learning rate fell.</summary>
    public const string Stable = "stable";

    /// <summary>Whether an output is a checkpoint.</summary>
    public static bool IsModel(string output) => output is Model or Ema or Stable;
}
