using System.Collections.Concurrent;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Stages.Worker;
using Microsoft.Extensions.Logging.Abstractions;

namespace Espalier.Stages.Tests;

public sealed class StageAdvertiserTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private readonly ConcurrentQueue<string> _said = new();
    private readonly SemaphoreSlim _heard = new(0);
    private Func<StageAdvertised, Task> _publish = _ => Task.CompletedTask;

    [Fact]
    public async Task Run_OneAdvertisementFails_TheOthersAreSaidAndItFollowsWithinSeconds()
    {
        var failures = 2;
        _publish = offer => offer.Kind == "train" && failures-- > 0 ? throw new TimeoutException("the broker is busy") : Task.CompletedTask;
        using var stopping = new CancellationTokenSource();
        var advertiser = Create();

        var running = advertiser.RunAsync(stopping.Token);
        await HeardAsync("prune");
        await HeardAsync("train");
        await stopping.CancelAsync();
        await running;

        advertiser.HasAdvertised.ShouldBeTrue();
    }

    [Fact]
    public async Task Repeat_OrchestratorDoesNotKnowTheStages_SaysThemAtOnce()
    {
        using var stopping = new CancellationTokenSource();
        var advertiser = Create();
        var running = advertiser.RunAsync(stopping.Token);
        await HeardAsync("train");
        _said.Clear();

        advertiser.Repeat();
        await HeardAsync("train");
        await stopping.CancelAsync();

        await running.WaitAsync(Limit);
    }

    private StageAdvertiser Create() =>
        new(() => [Offer("prune"), Offer("train")], PublishAsync, TimeSpan.FromMinutes(10), TimeProvider.System, NullLogger.Instance);

    private async Task PublishAsync(StageAdvertised offer, CancellationToken cancellationToken)
    {
        await _publish(offer);
        _said.Enqueue(offer.Kind);
        _heard.Release();
    }

    private async Task HeardAsync(string kind)
    {
        while (!_said.Contains(kind))
            (await _heard.WaitAsync(Limit)).ShouldBeTrue($"'{kind}' was not said");
    }

    private static StageAdvertised Offer(string kind) =>
        new() { Kind = kind, Version = "v1", NumericsClass = "any", Schema = JsonSerializer.SerializeToElement(new { kind = "object" }) };
}
