using Espalier.Messaging;
using Espalier.Messaging.Broker;
using Polly;
using Polly.Retry;

namespace Espalier.Orchestrator;

/// <summary>Makes sure that there is a place for hints that were delivered too often, whoever set the broker up.</summary>
internal sealed class DeadLetterQueue(MessagingOptions messaging, TimeProvider time, ILogger<DeadLetterQueue> logger) : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (messaging.Transport != MessagingTransport.RabbitMq)
            return;
        var retry = new RetryStrategyOptions
        {
            ShouldHandle = attempt => ValueTask.FromResult(
                attempt.Outcome.Exception is { } e && !DeadLetters.IsOtherwiseMade(e) && !stoppingToken.IsCancellationRequested),
            MaxRetryAttempts = int.MaxValue,
            Delay = Pause,
            UseJitter = true,
            OnRetry = attempt =>
            {
                OrchestratorLog.LoopFailed(logger, nameof(DeadLetterQueue), attempt.Outcome.Exception!);
                return ValueTask.CompletedTask;
            },
        };
        var untilItAnswers = new ResiliencePipelineBuilder { TimeProvider = time }.AddRetry(retry).Build();
        try
        {
            await untilItAnswers.ExecuteAsync(
                async token => await DeadLetters.EnsureAsync(messaging, token).ConfigureAwait(false), stoppingToken).ConfigureAwait(false);
        }
        catch (Exception e) when (DeadLetters.IsOtherwiseMade(e))
        {
            OrchestratorLog.QueueKept(logger, DeadLetters.Name, e.Message); // it serves all the same
        }
    }
}
