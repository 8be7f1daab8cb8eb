using Espalier.Messaging;
using Espalier.Messaging.Broker;

namespace Espalier.Orchestrator;

/// <summary>Makes sure that there is a place for hints that were delivered too often, whoever set the broker up. Tries until the broker answers.</summary>
internal sealed class DeadLetterQueue(MessagingOptions messaging, TimeProvider time, ILogger<DeadLetterQueue> logger) : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (messaging.Transport == MessagingTransport.RabbitMq && !stoppingToken.IsCancellationRequested)
        {
            try
            {
                await DeadLetters.EnsureAsync(messaging, stoppingToken).ConfigureAwait(false);
                return;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                OrchestratorLog.LoopFailed(logger, nameof(DeadLetterQueue), e);
                await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
