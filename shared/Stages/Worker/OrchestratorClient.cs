using Espalier.Contracts;
using Espalier.Messaging;
using MassTransit;

namespace Espalier.Stages.Worker;

/// <summary>The worker's requests to the orchestrator. Each waits for the time that the bus's options allow.</summary>
internal sealed class OrchestratorClient(IBus bus, MessagingOptions options)
{
    private static readonly Uri Address = EndpointNames.AddressOf(EndpointNames.Orchestrator);
    private readonly IRequestClient<ClaimStep> _claim = bus.CreateRequestClient<ClaimStep>(Address, options.RequestTimeout);
    private readonly IRequestClient<StepHeartbeat> _beat = bus.CreateRequestClient<StepHeartbeat>(Address, options.RequestTimeout);
    private readonly IRequestClient<StepFinished> _finished = bus.CreateRequestClient<StepFinished>(Address, options.RequestTimeout);
    private readonly IRequestClient<StepFailed> _failed = bus.CreateRequestClient<StepFailed>(Address, options.RequestTimeout);

    /// <summary>The next step, or null.</summary>
    public async Task<StepAssignment?> ClaimAsync(ClaimStep claim, CancellationToken cancellationToken)
    {
        var answer = await _claim.GetResponse<StepAssignment, NoStep>(claim, cancellationToken).ConfigureAwait(false);
        return answer.Is(out Response<StepAssignment>? assignment) ? assignment.Message : null;
    }

    /// <summary>Renews the lease.</summary>
    public async Task<LeaseVerdict> BeatAsync(StepHeartbeat beat, CancellationToken cancellationToken) =>
        (await _beat.GetResponse<HeartbeatAnswer>(beat, cancellationToken).ConfigureAwait(false)).Message.Verdict;

    /// <summary>Reports a result; false when the fence is old.</summary>
    public async Task<bool> ReportAsync(StepFinished finished, CancellationToken cancellationToken) =>
        (await _finished.GetResponse<StepReportAnswer>(finished, cancellationToken).ConfigureAwait(false)).Message.Accepted;

    /// <summary>Reports an attempt without a result; false when the fence is old.</summary>
    public async Task<bool> ReportAsync(StepFailed failed, CancellationToken cancellationToken) =>
        (await _failed.GetResponse<StepReportAnswer>(failed, cancellationToken).ConfigureAwait(false)).Message.Accepted;

    /// <summary>Tells everybody something.</summary>
    public Task PublishAsync<T>(T message, CancellationToken cancellationToken) where T : class => bus.Publish(message, cancellationToken);
}
