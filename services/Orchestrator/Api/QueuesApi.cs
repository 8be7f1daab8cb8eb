using Espalier.Hosting;
using Espalier.Hosting.Authentication;
using Espalier.Messaging.Broker;
using Espalier.Orchestrator.Ledger;
using RabbitMQ.Client.Exceptions;

namespace Espalier.Orchestrator.Api;

/// <summary>The broker's queues over HTTP: <c>/api/v1/queues</c>. Contents are for administrators.</summary>
internal static class QueuesApi
{
    private const int MostMessages = 100;
    private const int LongestName = 200; // the protocol takes 255 bytes

    public static void MapQueuesApi(this IEndpointRouteBuilder app)
    {
        var queues = app.MapGroup("/api/v1/queues");
        queues.MapGroupFor(ApiRole.Viewer).MapGet("", ListAsync)
            .Describe<IReadOnlyList<QueueState>>("listQueues", "The broker's queues with depth and consumers.");
        var inside = queues.MapGroupFor(ApiRole.Admin);
        inside.MapGet("{queue}/messages", PeekAsync)
            .Describe<IReadOnlyList<StrandedMessage>>("listMessages", "Messages that nobody could handle; they stay where they are.");
        inside.MapPost("{queue}/replay", ReplayAsync).Describe<Replayed>("replayQueue", "Sends messages that nobody could handle again.");
    }

    /// <summary>Queues of every kind that workers have offered.</summary>
    public static async Task<IReadOnlyList<QueueState>> ReadAsync(BrokerQueues queues, StageCatalog stages, CancellationToken cancellationToken)
    {
        var kinds = (await stages.ListAsync(cancellationToken).ConfigureAwait(false)).Select(s => s.Kind);
        return await queues.ListAsync(kinds, cancellationToken).ConfigureAwait(false);
    }

    private static Task<IResult> ListAsync(BrokerQueues queues, StageCatalog stages, CancellationToken cancellationToken) =>
        AskAsync(async () => TypedResults.Ok(await ReadAsync(queues, stages, cancellationToken).ConfigureAwait(false)));

    private static Task<IResult> PeekAsync(string queue, BrokerQueues queues, CancellationToken cancellationToken, int limit = 20) =>
        StrandedAsync(queue, queues, async () => TypedResults.Ok(
            await queues.PeekAsync(queue, Math.Clamp(limit, 1, MostMessages), cancellationToken).ConfigureAwait(false)));

    private static Task<IResult> ReplayAsync(string queue, BrokerQueues queues, CancellationToken cancellationToken) =>
        StrandedAsync(queue, queues, async () => TypedResults.Ok(
            new Replayed(queue, await queues.ReplayAsync(queue, cancellationToken).ConfigureAwait(false))));

    private static Task<IResult> StrandedAsync(string queue, BrokerQueues queues, Func<Task<IResult>> answer) =>
        !queues.HasBroker ? Refuse("The in-memory bus has no queues to look into.", StatusCodes.Status409Conflict)
        : queue.Length > LongestName ? Refuse($"A queue's name has at most {LongestName} characters.", StatusCodes.Status422UnprocessableEntity)
        : BrokerQueues.IsStranded(queue) ? AskAsync(answer)
        : Refuse(
            $"'{queue}' holds work, not failures: expected a queue that ends with _error or _skipped, or dead-letters.",
            StatusCodes.Status422UnprocessableEntity);

    private static Task<IResult> Refuse(string message, int status) => Task.FromResult<IResult>(TypedResults.Problem(message, statusCode: status));

    private static async Task<IResult> AskAsync(Func<Task<IResult>> answer)
    {
        try
        {
            return await answer().ConfigureAwait(false);
        }
        catch (OperationInterruptedException e) when (e.ShutdownReason?.ReplyCode == 404)
        {
            return TypedResults.Problem("There is no such queue; it appears with its first message.", statusCode: StatusCodes.Status404NotFound);
        }
        catch (Exception e) when (e is BrokerUnreachableException or OperationInterruptedException or AlreadyClosedException)
        {
            return TypedResults.Problem("The broker does not answer.", statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }
}

/// <summary>How many messages of a queue were sent once more.</summary>
public sealed record Replayed(string Queue, int Messages);
