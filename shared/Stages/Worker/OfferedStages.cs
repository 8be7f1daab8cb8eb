using Espalier.Contracts;
using Espalier.Pipelines.Keys;
using Espalier.Pipelines.Options;

namespace Espalier.Stages.Worker;

/// <summary>The stages that this process offers.</summary>
internal sealed class OfferedStages
{
    private readonly StageWorkerOptions _options;
    private readonly INumericsClass? _numerics;
    private readonly IOfferedEstimates? _estimates;
    private readonly Dictionary<string, IStage> _stages;
    private IReadOnlyList<StageOffer>? _offers;

    public OfferedStages(IEnumerable<IStage> stages, StageWorkerOptions options, INumericsClass? numerics = null, IOfferedEstimates? estimates = null)
    {
        _estimates = estimates;
        _options = options;
        _numerics = numerics;
        _stages = stages.Where(s => (options.Kinds.Count == 0 || options.Kinds.Contains(s.Kind)) && options.Classes.Any(c => Offers(c, s)))
            .ToDictionary(s => s.Kind);
        var unknown = options.Kinds.Except(_stages.Keys).ToList();
        if (unknown.FirstOrDefault(k => stages.Any(s => s.Kind == k)) is { } refused)
        {
            throw new UserInputException(
                $"{StageWorkerOptions.Section}:kinds names '{refused}', which runs programs of pipelines: set {StageWorkerOptions.Section}:commands to true "
                    + $"too, or offer the device class {DeviceNames.Kubernetes}.");
        }
        if (unknown.Count > 0)
        {
            throw new UserInputException(
                $"{StageWorkerOptions.Section}:kinds: this service has no stage '{unknown[0]}'; it has {string.Join(", ", stages.Select(s => s.Kind))}.");
        }
    }

    /// <summary>Kinds in a fixed order.</summary>
    public IReadOnlyList<string> Kinds => [.. _stages.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Kinds that this process can estimate.</summary>
    public IReadOnlyList<string> EstimatedKinds => [.. Kinds.Where(k => _estimates?.Kinds.Contains(k) == true)];

    /// <summary>The estimate of a step; null when it cannot be given.</summary>
    public async Task<StepEstimated?> EstimateAsync(EstimateStep step, CancellationToken cancellationToken) =>
        _estimates is null ? null : await _estimates.EstimateAsync(step, cancellationToken).ConfigureAwait(false);

    /// <summary>Whether a stage of a kind has an effect, which no earlier result stands for.</summary>
    public bool IsEffect(string kind) => _stages[kind].Traits.IsEffect;

    /// <summary>The stage of a kind.</summary>
    public IStage Find(string kind) => _stages[kind];

    /// <summary>What the worker says it has when it claims; loads the tensor library the first time.</summary>
    public IReadOnlyList<StageOffer> Offers() =>
        _offers ??=
        [
            .. from device in _options.Classes
               from kind in Kinds
               where Offers(device, _stages[kind])
               let code = CodeOf(_stages[kind], device.Name)
               select new StageOffer(code.Kind, code.Version, code.NumericsClass) { Device = device.Name },
        ];

    /// <summary>What an assigned step depends on, in full.</summary>
    public StepKey KeyOf(StepAssignment assignment)
    {
        var code = CodeOf(_stages[assignment.Kind], assignment.Device);
        return (code with { NumericsClass = assignment.NumericsClass ?? code.NumericsClass }).KeyOf(assignment.Options, assignment.Inputs);
    }

    /// <summary>The number of threads that a step's result was begun with, where this process has another one; null where it has the same.</summary>
    public int? OtherThreads(StepAssignment assignment) =>
        assignment.NumericsClass is { } wanted && wanted != NumericsClassOf(assignment) ? NumericsClasses.ThreadsOf(wanted) : null;

    /// <summary>Makes sure that this process computes as the step's key says.</summary>
    /// <exception cref="StageFailedException">It does not, and the result would have other bits.</exception>
    public void CheckNumerics(StepAssignment assignment)
    {
        if (assignment.NumericsClass is { } wanted && NumericsClassOf(assignment) is var own && wanted != own)
        {
            throw new StageFailedException(
                FailureClass.Transient, $"The step was prepared for workers that compute as '{wanted}', and this one computes as '{own}'.");
        }
    }

    /// <summary>What the worker announces.</summary>
    public IReadOnlyList<StageAdvertised> Advertise() =>
    [
        .. Offers().Select(o => new StageAdvertised
        {
            Kind = o.Kind,
            Version = o.Version,
            NumericsClass = o.NumericsClass,
            Schema = OptionSchema.For(_stages[o.Kind].OptionsType).ToJson(),
            Traits = _stages[o.Kind].Traits with { IsEstimated = _estimates?.Kinds.Contains(o.Kind) == true },
            Device = o.Device!,
            IsSpare = o.Device != _options.Classes[0].Name || _options.ClassOf(o.Device!).IsPretended,
            Worker = _options.Name,
        }),
    ];

    // Programs of pipelines run here only where settings allow it; in a cluster's Jobs they are not among our processes.
    private bool Offers(DeviceClass device, IStage stage) =>
        device.Name == DeviceNames.Kubernetes ? stage.Traits.Clusters is not null : _options.Commands || !stage.Traits.RunsPrograms;

    private string NumericsClassOf(StepAssignment assignment) => CodeOf(_stages[assignment.Kind], assignment.Device).NumericsClass;

    private StageCode CodeOf(IStage stage, string device) => stage.CodeOn(() => NumericsOn(_options.ClassOf(device)));

    // What a pretended device computes must never pass for the work of a real one.
    private string NumericsOn(DeviceClass device) =>
        _numerics is null ? NumericsClasses.Any
        : device.IsPretended ? $"pretended-{device.Name};{_numerics.ValueOn(DeviceNames.Cpu)}"
        : _numerics.ValueOn(device.Name);
}
