using Espalier.Contracts;
using Espalier.Messaging;
using MassTransit;

namespace Espalier.Stages.Worker;

/// <summary>
/// The worker's requests to the orchestrator. Each waits for the time that the bus's options allow, and not longer whatever
/// the bus does: a request that is sent while the broker crashes may never hear of its own time limit.
/// </summary>
internal sealed class OrchestratorClient(IBus bus, MessagingOptions options)
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);
    private static readonly Uri Address = EndpointNames.AddressOf(EndpointNames.Orchestrator);
    private readonly IRequestClient<ClaimStep> _claim = bus.CreateRequestClient<ClaimStep>(Address, options.RequestTimeout);
    private readonly IRequestClient<StepHeartbeat> _beat = bus.CreateRequestClient<StepHeartbeat>(Address, options.RequestTimeout);
    private readonly IRequestClient<StepFinished> _finished = bus.CreateRequestClient<StepFinished>(Address, options.RequestTimeout);
    private readonly IRequestClient<StepFailed> _failed = bus.CreateRequestClient<StepFailed>(Address, options.RequestTimeout);
    private readonly TimeSpan _limit = options.RequestTimeout + Grace;

    /// <summary>The next step; or, when there is none, whether what the worker offers should be advertised again.</summary>
    /// <exception cref="TimeoutException">Neither answer nor error came in time; as every other method here.</exception>
    public async Task<(StepAssignment? Assignment, bool WantsOffers)> ClaimAsync(ClaimStep claim, CancellationToken cancellationToken)
    {
        var answer = await _claim.GetResponse<StepAssignment, NoStep>(claim, cancellationToken)
            .WaitAsync(_limit, CancellationToken.None).ConfigureAwait(false);
        return answer.Is(out Response<StepAssignment>? assignment)
            ? (assignment.Message, false)
            : (null, answer.Is(out Response<NoStep>? none) && none.Message.WantsOffers);
    }

    /// <summary>Renews the lease.</summary>
    public async Task<LeaseVerdict> BeatAsync(StepHeartbeat beat, CancellationToken cancellationToken) =>
        (await _beat.GetResponse<HeartbeatAnswer>(beat, cancellationToken)
            .WaitAsync(_limit, CancellationToken.None).ConfigureAwait(false)).Message.Verdict;

    /// <summary>Reports a result; false when the fence is old.</summary>
    public async Task<bool> ReportAsync(StepFinished finished, CancellationToken cancellationToken) =>
        (await _finished.GetResponse<StepReportAnswer>(finished, cancellationToken)
            .WaitAsync(_limit, CancellationToken.None).ConfigureAwait(false)).Message.Accepted;

    /// <summary>Reports an attempt without a result; false when the fence is old.</summary>
    public async Task<bool> ReportAsync(StepFailed failed, CancellationToken cancellationToken) =>
        (await _failed.GetResponse<StepReportAnswer>(failed, cancellationToken)
            .WaitAsync(_limit, CancellationToken.None).ConfigureAwait(false)).Message.Accepted;

    /// <summary>Tells everybody something.</summary>
    public Task PublishAsync<T>(T message, CancellationToken cancellationToken) where T : class =>
        bus.Publish(message, cancellationToken).WaitAsync(_limit, CancellationToken.None);
}
