using System.Diagnostics;
using MassTransit;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Espalier.Messaging.Broker;

/// <summary>
/// Ends a process that has gone deaf, so that its supervisor starts it anew. After a crash of the broker the bus reconnects
/// by itself, but with pauses that grow to half a minute; and now and then a queue is left without its consumer while the
/// bus reports good health. So the broker is asked, over a connection of its own. Ending is safe, as a crash at any moment
/// is; hanging is not.
/// </summary>
internal sealed partial class BusGuardian(IBusControl bus, MessagingOptions options, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<BusGuardian> logger) : BackgroundService
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(2);
    /// <summary>How long the process may take to stop; then it is killed. A deaf bus has nothing to say goodbye to.</summary>
    internal static TimeSpan StopLimit { get; set; } = TimeSpan.FromSeconds(8);

    private readonly HashSet<string> _heard = [];
    private IConnection? _connection;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        long? deafSince = null;
        while (options.Transport == MessagingTransport.RabbitMq && !stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(Look, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (await FindDeafAsync(stoppingToken).ConfigureAwait(false) is not { } deaf)
            {
                deafSince = null;
                continue;
            }
            deafSince ??= time.GetTimestamp();
            if (time.GetElapsedTime(deafSince.Value) < options.DeafLimit || stoppingToken.IsCancellationRequested)
                continue;
            ProcessEnds(logger, deaf, options.DeafLimit);
            Environment.ExitCode = 1;
            lifetime.StopApplication();
            _ = KillAsync(); // the stop waits for this loop, so this loop does not wait for the stop
            break;
        }
        await CloseAsync().ConfigureAwait(false);
    }

    /// <summary>A queue of this process that had a consumer and has none any more; null when there is none, or when the broker does not answer: then there is nothing to hear.</summary>
    private async Task<string?> FindDeafAsync(CancellationToken cancellationToken)
    {
        // Queues of hints do not count: their listener looks after them, and the worker polls.
        var queues = bus.CheckHealth().Endpoints.Keys.Select(k => new Uri(k))
            .Select(u => (Name: Uri.UnescapeDataString(u.Segments[^1]), IsForAnswers: u.Query.Contains("temporary", StringComparison.Ordinal)))
            .Where(q => !q.Name.StartsWith(EndpointNames.WorkPrefix, StringComparison.Ordinal));
        try
        {
            _connection ??= await BrokerConnection.OpenAsync(options, cancellationToken).ConfigureAwait(false);
            foreach (var (queue, isForAnswers) in queues)
            {
                // The queue for answers gets its consumer with the first request.
                if (await IsHeardAsync(_connection, queue, cancellationToken).ConfigureAwait(false))
                    _heard.Add(queue);
                else if (!isForAnswers || _heard.Contains(queue))
                    return queue;
            }
        }
        catch (Exception)
        {
            // Whatever the reason is, the broker is not there for us.
            await CloseAsync().ConfigureAwait(false);
        }
        return null;
    }

    private static async Task<bool> IsHeardAsync(IConnection connection, string queue, CancellationToken cancellationToken)
    {
        var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
        await using (channel.ConfigureAwait(false))
        {
            try
            {
                return (await channel.QueueDeclarePassiveAsync(queue, cancellationToken).ConfigureAwait(false)).ConsumerCount > 0;
            }
            catch (OperationInterruptedException e) when (e.ShutdownReason?.ReplyCode == Constants.NotFound)
            {
                return false;
            }
        }
    }

    /// <summary>A bus that is broken may not stop either.</summary>
    private async Task KillAsync()
    {
        await Task.Delay(StopLimit, time, lifetime.ApplicationStopped).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!lifetime.ApplicationStopped.IsCancellationRequested)
            Process.GetCurrentProcess().Kill();
    }

    private async Task CloseAsync()
    {
        if (_connection is not { } connection)
            return;
        _connection = null;
        await connection.DisposeAsync().AsTask().WaitAsync(StopLimit, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    [LoggerMessage(301, LogLevel.Critical, "The broker answers, but queue {Queue} has had no listener for {Limit}: the process ends, to be started anew")]
    private static partial void ProcessEnds(ILogger logger, string queue, TimeSpan limit);
}
