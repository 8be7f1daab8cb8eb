using Espalier.Pipelines.Planning;

namespace Espalier.Orchestrator.Results;

/// <summary>A run's steps as planned.</summary>
/// <param name="Name">Name of the pipeline.</param>
/// <param name="Steps">Every step, each after the steps it needs; options with defaults filled in and units resolved.</param>
/// <param name="Resolved">The same as the text of a pipeline file: no parameters, no matrix, every option written out.</param>
public sealed record RunPlanView(string Name, IReadOnlyList<PlannedStep> Steps, string Resolved);

/// <summary>What a run took, and what it was expected to take.</summary>
public sealed record RunCosts
{
    /// <summary>Steps in planned order.</summary>
    public required IReadOnlyList<StepCost> Steps { get; init; }

    /// <summary>Seconds that workers spent on this run, all steps together.</summary>
    public double Seconds => Steps.Sum(s => s.Seconds ?? 0);

    /// <summary>Seconds that results from earlier runs saved.</summary>
    public double SavedSeconds => Steps.Sum(s => s.SavedSeconds ?? 0);

    /// <summary>Bytes that this run added to the store.</summary>
    public long NewBytes => Steps.Sum(s => s.NewBytes ?? 0);

    /// <summary>Highest resident memory of a step; 0 when unknown.</summary>
    public long PeakMemoryBytes => Steps.Count == 0 ? 0 : Steps.Max(s => s.PeakMemoryBytes ?? 0);

    /// <summary>Whether there are more steps than are looked at.</summary>
    public bool IsPartial { get; init; }
}

/// <summary>What one step took.</summary>
public sealed record StepCost
{
    /// <summary>The step.</summary>
    public required string Name { get; init; }

    /// <summary>Wall seconds from its start to its end in this run; null when it did not run here.</summary>
    public double? Seconds { get; init; }

    /// <summary>Wall seconds of the attempt that had done the same work before; null when the result is this run's own.</summary>
    public double? SavedSeconds { get; init; }

    /// <summary>Bytes of its outputs.</summary>
    public long? StoredBytes { get; init; }

    /// <summary>Bytes that it added to the store.</summary>
    public long? NewBytes { get; init; }

    /// <summary>Highest resident memory of its process; null when unknown.</summary>
    public long? PeakMemoryBytes { get; init; }

    /// <summary>What was expected when the run was submitted; null when nobody had estimated it.</summary>
    public StepEstimate? Estimate { get; init; }
}
