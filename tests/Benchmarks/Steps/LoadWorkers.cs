using System.Diagnostics;
using Espalier.Contracts;
using Espalier.Messaging;
using Espalier.NoopService;
using Espalier.Pipelines.Options;
using MassTransit;

namespace Espalier.Benchmarks.Steps;

/// <summary>Workers without work: they claim, beat, tell their progress and finish as real ones do, ten over one connection to the broker.</summary>
internal sealed class LoadWorkers(IBus bus, Latencies latencies, LoadRuns runs)
{
    private const string Version = "load", Numerics = "none";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60), Poll = TimeSpan.FromSeconds(5), Beat = TimeSpan.FromSeconds(2.5);
    private static readonly Uri Orchestrator = EndpointNames.AddressOf(EndpointNames.Orchestrator);
    private readonly IRequestClient<ClaimStep> _claims = bus.CreateRequestClient<ClaimStep>(Orchestrator, Limit);
    private readonly IRequestClient<StepHeartbeat> _beats = bus.CreateRequestClient<StepHeartbeat>(Orchestrator, Limit);
    private readonly IRequestClient<StepFinished> _results = bus.CreateRequestClient<StepFinished>(Orchestrator, Limit);
    private int _finished;

    /// <summary>Steps that were finished.</summary>
    public int Finished => _finished;

    /// <summary>Says what they offer.</summary>
    public Task AdvertiseAsync(CancellationToken cancellationToken)
    {
        var stage = new UnitsStage();
        return bus.Publish(
            new StageAdvertised
            {
                Kind = stage.Kind, Device = "cpu", Version = Version, NumericsClass = Numerics, Worker = "load", Traits = stage.Traits,
                Schema = OptionSchema.For(stage.OptionsType).ToJson(),
            }, cancellationToken);
    }

    /// <summary>
    /// Says what they offer, and sends the first request of each kind alone: requests that are sent before the first one has found its way may
    /// never be sent when they come from many at once.
    /// </summary>
    public async Task GreetAsync()
    {
        await AdvertiseAsync(default);
        var step = new StepAddress(Guid.NewGuid(), "none", Digest.Of("none"u8));
        await _claims.GetResponse<StepAssignment, NoStep>(new ClaimStep { Worker = "none", Kinds = [], Devices = [] });
        await _beats.GetResponse<HeartbeatAnswer>(new StepHeartbeat { Step = step, Fence = 1, Worker = "none" });
        await _results.GetResponse<StepReportAnswer>(new StepFinished
        {
            Step = step, Fence = 1, Worker = "none", Outputs = new Dictionary<string, ManifestRef>(), Metrics = new Dictionary<string, double>(),
        });
    }

    /// <summary>One worker, until it is stopped.</summary>
    public async Task RunAsync(int number, CancellationToken stopping)
    {
        var (worker, random) = ($"load-{number}", new Random(number));
        await Task.Delay(random.Next(5000), CancellationToken.None);
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                if (await ClaimAsync(worker) is { } assignment)
                    await WorkAsync(worker, assignment, random);
                else
                    await Task.Delay(Poll, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (Exception e) when (e is RequestException or TimeoutException)
            {
                latencies.Fail($"worker: {e.GetType().Name}: {(e as RequestFaultException)?.Fault?.Exceptions.FirstOrDefault()?.Message ?? e.Message}");
                await Task.Delay(1000, CancellationToken.None);
            }
        }
    }

    private async Task<StepAssignment?> ClaimAsync(string worker)
    {
        var began = Stopwatch.GetTimestamp();
        var answer = await _claims.GetResponse<StepAssignment, NoStep>(new ClaimStep
        {
            Worker = worker, Kinds = ["noop"], Devices = ["cpu"], Slots = 1, Offers = [new StageOffer("noop", Version, Numerics)],
        }).WaitAsync(Limit);
        var isGranted = answer.Is(out Response<StepAssignment>? assignment);
        latencies.Add(isGranted ? "claim, granted" : "claim, nothing to do", began);
        if (!isGranted && answer.Is(out Response<NoStep>? none) && none.Message.WantsOffers)
            await AdvertiseAsync(default);
        return assignment?.Message;
    }

    /// <summary>Holds the step for 2.5 to 7.5 seconds.</summary>
    private async Task WorkAsync(string worker, StepAssignment assignment, Random random)
    {
        var holds = TimeSpan.FromSeconds(2.5 + 5 * random.NextDouble());
        for (var held = Beat; held < holds; held += Beat)
        {
            await Task.Delay(Beat);
            var began = Stopwatch.GetTimestamp();
            await _beats.GetResponse<HeartbeatAnswer>(
                new StepHeartbeat { Step = assignment.Step, Fence = assignment.Fence, Worker = worker, Done = 1, Total = 2 }).WaitAsync(Limit);
            latencies.Add("heartbeat", began);
            await bus.Publish(new StepProgress
            {
                Step = assignment.Step, Fence = assignment.Fence, Phase = "waiting", Done = 1, Total = 2,
                Metrics = new Dictionary<string, double> { ["loss"] = 3 },
            });
        }
        await Task.Delay(TimeSpan.FromSeconds(holds.TotalSeconds % Beat.TotalSeconds));
        var finished = Stopwatch.GetTimestamp();
        await _results.GetResponse<StepReportAnswer>(new StepFinished
        {
            Step = assignment.Step, Fence = assignment.Fence, Worker = worker, Duration = holds,
            Outputs = new Dictionary<string, ManifestRef> { [OutputNames.Model] = new(ArtifactKind.Report, assignment.Step.Key, 1000) },
            Metrics = new Dictionary<string, double> { ["units"] = 1 },
        }).WaitAsync(Limit);
        latencies.Add("finish", finished);
        Interlocked.Increment(ref _finished);
        if (assignment.Step.Name == LoadRuns.LastStep)
            await runs.ReplaceAsync(assignment.Step.RunId);
    }
}
