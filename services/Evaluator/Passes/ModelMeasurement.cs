using Espalier.Stages;

namespace Espalier.Evaluator.Passes;

/// <summary>One model's turn: what tasks measure it with.</summary>
/// <param name="context">Receives progress.</param>
/// <param name="options">The stage's options.</param>
/// <param name="material">What to measure on.</param>
/// <param name="models">All models of the step.</param>
/// <param name="model">The one whose turn it is.</param>
/// <param name="finished">Passes that are done.</param>
/// <param name="limits">How much memory there is.</param>
internal sealed class ModelMeasurement(
    StageContext context, EvaluateOptions options, EvaluationMaterial material, IReadOnlyList<ModelUnderTest> models,
    ModelUnderTest model, FinishedPasses finished, MemoryLimits limits)
{
    /// <summary>Receives progress.</summary>
    public StageContext Context { get; } = context;

    /// <summary>The stage's options.</summary>
    public EvaluateOptions Options { get; } = options;

    /// <summary>What to measure on.</summary>
    public EvaluationMaterial Material { get; } = material;

    /// <summary>All models of the step.</summary>
    public IReadOnlyList<ModelUnderTest> Models { get; } = models;

    /// <summary>The model whose turn it is.</summary>
    public ModelUnderTest Model { get; } = model;

    /// <summary>A pass's result, stored once it is there: tasks that name the same pass share it, and a killed step resumes after it, or within it.</summary>
    public Task<T> KeepAsync<T>(string pass, Func<PassRunner, Task<T>> run, CancellationToken cancellationToken) => finished.GetAsync(
        $"{Model.Step}/{pass}", unfinished => run(new PassRunner(Context, limits, unfinished)), cancellationToken);
}
