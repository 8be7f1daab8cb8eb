using Espalier.Contracts;

namespace Espalier.Stages;

/// <summary>
/// One kind of work: a deterministic function of (inputs, options, seed, numerics class). It can be killed anywhere and
/// started elsewhere: finished units and a cursor go through the context.
/// </summary>
public interface IStage
{
    /// <summary>One of <see cref="StageKinds"/>.</summary>
    string Kind { get; }

    /// <summary>The record its options deserialize into; the schema is generated from it (see Pipelines.Options).</summary>
    Type OptionsType { get; }

    /// <summary>What planning has to know: outputs, what belongs to the step key, whether the result depends on numerics.</summary>
    StageTraits Traits { get; }

    /// <summary>Does the work.</summary>
    /// <exception cref="UserInputException">The input is wrong; never tried again.</exception>
    Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken);
}

/// <summary>What a stage produced. Timings belong to the worker, not here: equal keys must give equal results.</summary>
public sealed record StageResult
{
    /// <summary>Artifacts by output name (<see cref="OutputNames"/>).</summary>
    public required IReadOnlyDictionary<string, ManifestRef> Outputs { get; init; }

    /// <summary>Numbers for <c>when:</c> expressions, gates and tables.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>
    /// Sentences that whoever uses the result must know: what was left out, and what other loaders of the model cannot run, with
    /// what avoids it. Part of the result, so equal keys give equal notes.
    /// </summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}
