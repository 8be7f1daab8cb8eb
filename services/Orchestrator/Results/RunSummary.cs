using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Stages.Worker;

namespace Espalier.Orchestrator.Results;

/// <summary>What a finished run did, read from the ledger and the receipts.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Name">Pipeline name.</param>
/// <param name="State">How it ended.</param>
/// <param name="Duration">Wall time.</param>
/// <param name="Steps">Steps in pipeline order.</param>
public sealed record RunSummary(Guid RunId, string Name, RunState State, TimeSpan Duration, IReadOnlyList<StepSummary> Steps)
{
    private const int ReadAtOnce = 8;

    /// <summary>Adds what receipts say to what the ledger says.</summary>
    public static async Task<RunSummary> OfAsync(ArtifactStore store, RunView run, CancellationToken cancellationToken)
    {
        var steps = new StepSummary[run.Steps.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = ReadAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, steps.Length, options, async (i, token) =>
        {
            var step = run.Steps[i];
            var receipt = step.Key is { } key ? await StepReceipt.FindAsync(store, key, token).ConfigureAwait(false) : null;
            steps[i] = new StepSummary
            {
                Name = step.Name,
                Kind = step.Kind,
                State = step.State,
                Needs = step.Needs,
                Key = step.Key ?? default,
                Outputs = step.Outputs,
                Metrics = step.Metrics,
                Measured = receipt?.Metrics ?? new Dictionary<string, double>(),
                Duration = receipt?.Duration ?? TimeSpan.Zero,
                PeakMemoryBytes = receipt?.PeakMemoryBytes ?? 0,
            };
        }).ConfigureAwait(false);
        return new RunSummary(run.RunId, run.Name, run.State, (run.Ended ?? run.Created) - run.Created, steps);
    }
}

/// <summary>What one step did.</summary>
public sealed record StepSummary
{
    /// <summary>Step name.</summary>
    public required string Name { get; init; }

    /// <summary>Stage kind.</summary>
    public required string Kind { get; init; }

    /// <summary>How it ended.</summary>
    public required StepState State { get; init; }

    /// <summary>Names of the steps it needs.</summary>
    public IReadOnlyList<string> Needs { get; init; } = [];

    /// <summary>The step key; empty when the step never became ready.</summary>
    public Digest Key { get; init; }

    /// <summary>Artifacts by output name.</summary>
    public IReadOnlyDictionary<string, ManifestRef> Outputs { get; init; } = new Dictionary<string, ManifestRef>();

    /// <summary>Metrics of the result.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>Measured by the worker that did the work (rates, seconds, peak memory); for a cached step, by the earlier one.</summary>
    public IReadOnlyDictionary<string, double> Measured { get; init; } = new Dictionary<string, double>();

    /// <summary>Wall time of the attempt that did the work.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>Highest resident memory of that attempt in bytes; 0 when unknown.</summary>
    public long PeakMemoryBytes { get; init; }
}
