using Espalier.Evaluator.Passes;
using Espalier.Stages.Methods;

namespace Espalier.Evaluator.Tasks;

/// <summary>What of the dataset a task is measured on.</summary>
[Flags]
internal enum EvaluationNeeds
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The documents of a split.</summary>
    Documents = 1,

    /// <summary>The multiple-choice items.</summary>
    MultipleChoice = 2,
}

/// <summary>
/// Something to measure models by, named in the option <c>tasks</c>. Tasks are found by scanning: a new one is one file. A task is
/// stateless; what it measured on each model comes back in <see cref="Report"/>.
/// </summary>
internal interface IEvaluationTask : IStageMethod
{
    /// <summary>What it is measured on.</summary>
    EvaluationNeeds Needs { get; }

    /// <summary>Names of the numbers that it reports of a model; an interval counts as three (<see cref="MetricTable.NamesOfInterval"/>).</summary>
    IReadOnlyList<string> Metrics => [];

    /// <summary>Names of the numbers that it reports of a model and the baseline.</summary>
    IReadOnlyList<string> PairMetrics => [];

    /// <summary>How many models it reads at once.</summary>
    int ModelsAtOnce => 1;

    /// <summary>Refuses options or models that it cannot work with; called before anything is measured.</summary>
    /// <exception cref="Contracts.UserInputException">With what to change.</exception>
    void Check(EvaluateOptions options, IReadOnlyList<ModelUnderTest> models)
    {
    }

    /// <summary>Measures one model. Long passes go through <see cref="ModelMeasurement.KeepAsync"/>, so that a killed step does not repeat them.</summary>
    /// <returns>What <see cref="Report"/> needs of it; null when the task does not apply to the model.</returns>
    Task<object?> MeasureAsync(ModelMeasurement measurement, CancellationToken cancellationToken);

    /// <summary>Makes the task's share of the report out of what was measured on all models.</summary>
    ITaskReport Report(TaskResults results);
}

/// <summary>One task's share of the report.</summary>
internal interface ITaskReport
{
    /// <summary>The section of one model; null for none.</summary>
    ModelSection? OfModel(int model);

    /// <summary>What two models differ by on the same material, first minus second; null when the task compares nothing.</summary>
    PairSection? OfPair(int first, int second) => null;
}

/// <summary>What all models' measurements found.</summary>
/// <param name="Options">The stage's options.</param>
/// <param name="Material">What was measured on.</param>
/// <param name="Models">The models.</param>
/// <param name="Found">For each model, what <see cref="IEvaluationTask.MeasureAsync"/> returned.</param>
internal sealed record TaskResults(EvaluateOptions Options, EvaluationMaterial Material, IReadOnlyList<ModelUnderTest> Models, IReadOnlyList<object?> Found)
{
    /// <summary>What one model's measurement found.</summary>
    public T? Of<T>(int model) where T : class => (T?)Found[model];

    /// <summary>The same of all models, none of which is null.</summary>
    public IReadOnlyList<T> All<T>() where T : class => [.. Found.Select(found => (T)found!)];
}

/// <summary>A task's section about one model.</summary>
/// <param name="Body">Written into <c>report.json</c> under the task's name; null for nothing.</param>
/// <param name="Metrics">Numbers for conditions, gates and tables; the step's name goes in front.</param>
internal sealed record ModelSection(object? Body, MetricTable Metrics)
{
    /// <summary>Further files of the report by name; in a folder per step when there are several models.</summary>
    public IReadOnlyDictionary<string, byte[]> Files { get; init; } = new Dictionary<string, byte[]>();
}

/// <summary>A task's comparison of two models.</summary>
/// <param name="Entries">Written into <c>report.json</c> beside the two names.</param>
/// <param name="Metrics">Numbers for conditions and gates, where the second model is the baseline; the first step's name goes in front.</param>
internal sealed record PairSection(IReadOnlyDictionary<string, object?> Entries, MetricTable Metrics);
