using Espalier.Artifacts;
using Espalier.Hosting;
using Espalier.Hosting.Authentication;
using Espalier.Messaging.Broker;
using Espalier.Orchestrator.Ledger;
using RabbitMQ.Client.Exceptions;

namespace Espalier.Orchestrator.Api;

/// <summary>What the platform is doing, in one answer: <c>/api/v1/status</c>.</summary>
internal static class StatusApi
{
    public static void MapStatusApi(this IEndpointRouteBuilder app) => app
        .MapGroup("/api/v1/status").MapGroupFor(ApiRole.Viewer).MapGet("", ReadAsync)
        .Describe<PlatformStatus>("findStatus", "What the platform is doing.");

    private static async Task<IResult> ReadAsync(
        StatusReader status, IWorkerReader workers, StepWaits waits, BrokerQueues queues, BrokerProbe broker, StageCatalog stages, StoreProbe store,
        CancellationToken cancellationToken)
    {
        var trouble = await store.FindProblemAsync(cancellationToken).ConfigureAwait(false);
        IReadOnlyList<QueueState>? depths = null;
        var condition = await broker.FindAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (condition.Answers)
                depths = await QueuesApi.ReadAsync(queues, stages, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is BrokerUnreachableException or OperationInterruptedException or AlreadyClosedException)
        {
            // The rest is worth knowing all the same, and just then.
        }
        return TypedResults.Ok(new PlatformStatus
        {
            BrokerAnswers = depths is not null,
            BrokerAlarm = condition.Alarm,
            Store = new StoreState(trouble is null, trouble ?? ""),
            Queues = depths ?? [],
            Workers = await workers.ListAsync(cancellationToken).ConfigureAwait(false),
            Leases = await status.LeasesAsync(cancellationToken).ConfigureAwait(false),
            Runs = await status.RunsAsync(cancellationToken).ConfigureAwait(false),
            Steps = await status.StepsAsync(cancellationToken).ConfigureAwait(false),
            Waiting = await waits.OfAllAsync(cancellationToken).ConfigureAwait(false),
            OutboxDepth = await status.OutboxDepthAsync(cancellationToken).ConfigureAwait(false),
        });
    }
}

/// <summary>Whether the artifact store can be used.</summary>
/// <param name="Answers">It can.</param>
/// <param name="Problem">Why not; empty when it can.</param>
public sealed record StoreState(bool Answers, string Problem);

/// <summary>What the platform is doing.</summary>
public sealed record PlatformStatus
{
    /// <summary>Whether the broker could be asked.</summary>
    public bool BrokerAnswers { get; init; }

    /// <summary>Why the broker takes no messages, such as <c>low on disk</c>; empty when it takes them.</summary>
    public string BrokerAlarm { get; init; } = "";

    /// <summary>Whether the artifact store can be used.</summary>
    public StoreState? Store { get; init; }

    /// <summary>Queues with depth and consumers.</summary>
    public IReadOnlyList<QueueState> Queues { get; init; } = [];

    /// <summary>Workers that asked for work lately.</summary>
    public IReadOnlyList<WorkerView> Workers { get; init; } = [];

    /// <summary>Steps that workers hold.</summary>
    public IReadOnlyList<LeaseView> Leases { get; init; } = [];

    /// <summary>Number of runs by state.</summary>
    public IReadOnlyDictionary<string, long> Runs { get; init; } = new Dictionary<string, long>();

    /// <summary>Steps that are ready or running, by kind and device.</summary>
    public IReadOnlyList<StepCount> Steps { get; init; } = [];

    /// <summary>Steps that could run and do not, with the reason, the longest wait first.</summary>
    public IReadOnlyList<WaitingSteps> Waiting { get; init; } = [];

    /// <summary>Messages that the ledger still owes to the broker.</summary>
    public long OutboxDepth { get; init; }
}
