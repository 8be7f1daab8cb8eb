using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Contracts;

namespace Espalier.Stages;

/// <summary>Everything a stage may touch while it works on one step.</summary>
public sealed class StageContext
{
    /// <summary>Which step of which run.</summary>
    public required StepAddress Step { get; init; }

    /// <summary>Options: valid against the schema, units resolved, defaults filled in.</summary>
    public required JsonElement Options { get; init; }

    /// <summary>Artifacts handed to the step.</summary>
    public required IReadOnlyList<StepInput> Inputs { get; init; }

    /// <summary>Where artifacts are read and published.</summary>
    public required ArtifactStore Artifacts { get; init; }

    /// <summary>Finished units and position, kept under the step key so that any worker can go on.</summary>
    public required IStageCursor Cursor { get; init; }

    /// <summary>Where progress and metrics go.</summary>
    public required IStageProgress Progress { get; init; }

    /// <summary>Folder for derived data that can be made again (tokenised text); shared by steps, never trusted blindly.</summary>
    public required DirectoryInfo Cache { get; init; }

    /// <summary>Device class: <c>cpu</c> or <c>cuda</c>.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>
    /// Into how many parts the stage should split what it holds in memory at once: earlier attempts ran out of memory. Sums
    /// are then rounded in another order; nothing else about the result changes.
    /// </summary>
    /// <value>1</value>
    public int MemoryDivisor { get; init; } = 1;

    /// <summary>Memory that the step may use, in bytes; 0 when nobody says how much.</summary>
    /// <value>0</value>
    public long MemoryBytes { get; init; }

    /// <summary>The key that the step would have with other options; null where nobody can tell.</summary>
    public Func<JsonElement, Digest>? KeyWith { get; init; }

    /// <summary>The options as the stage's record.</summary>
    public T ReadOptions<T>() =>
        Options.Deserialize<T>(WireJson.Options)
            ?? throw new UserInputException($"Step '{Step.Name}' has no options.");

    /// <summary>The model the step works on: the one that its option <c>from</c> names, else the only model among the inputs.</summary>
    /// <exception cref="UserInputException">There is none, or there are several.</exception>
    public ManifestRef Model() =>
        FindModel() ?? throw new UserInputException($"Step '{Step.Name}' needs a model: name the step that makes it in 'needs'.");

    /// <summary>As <see cref="Model"/>, or null when no input is a model.</summary>
    public ManifestRef? FindModel()
    {
        var models = Inputs.Where(i => i.Output == OutputNames.Model).ToList();
        var named = Inputs.SingleOrDefault(i => i.Output == InputNames.From);
        if (named is not null)
            return named.Artifact;
        return models.Count <= 1
            ? models.SingleOrDefault()?.Artifact
            : throw new UserInputException(
                $"Step '{Step.Name}' gets models from {string.Join(", ", models.Select(m => $"'{m.Step}'"))}: say which one in 'from', as "
                    + $"${{{models[0].Step}.model}}.");
    }

    /// <summary>The dataset that a dataset option names, by the option's path: <c>data</c>, <c>calibration.data</c>.</summary>
    /// <exception cref="UserInputException">There is none.</exception>
    public ManifestRef Dataset(string optionPath = "data") =>
        Inputs.SingleOrDefault(i => i.Output == optionPath)?.Artifact
            ?? throw new UserInputException(
                $"Step '{Step.Name}' needs a dataset in '{optionPath}': corpus:NAME, file:PATH, dir:PATH, jsonl:PATH, parquet:PATH or dataset:NAME@VERSION.");
}

/// <summary>Saved position of a step. Every save replaces the one before, atomically.</summary>
public interface IStageCursor
{
    /// <summary>The last saved position, or null when the step starts fresh.</summary>
    Task<byte[]?> LoadAsync(CancellationToken cancellationToken);

    /// <summary>Saves a position: a small JSON text that names manifests or blobs already in the store.</summary>
    Task SaveAsync(ReadOnlyMemory<byte> position, CancellationToken cancellationToken);
}

/// <summary>Takes progress. Calls are cheap and may come often; the receiver thins them out.</summary>
public interface IStageProgress
{
    /// <summary>How far the work is.</summary>
    /// <param name="phase">What is being done now, in words that progress shows.</param>
    /// <param name="done">Units done.</param>
    /// <param name="total">Units in all.</param>
    /// <param name="unit">Name of the unit.</param>
    void Report(string phase, long done, long total, string unit);

    /// <summary>A new value of a metric, such as <c>loss</c>.</summary>
    void Metric(string name, double value);

    /// <summary>A line for the step's log.</summary>
    void Log(string message);

    /// <summary>How many tokens each expert got lately, by layer. For people who watch; it is in no result.</summary>
    void ExpertLoad(IReadOnlyList<IReadOnlyList<long>> counts)
    {
    }
}
