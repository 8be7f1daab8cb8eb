using Espalier.Integration.Tests.Distributed;
using Espalier.TestKit.Servers;
using Xunit.Abstractions;

namespace Espalier.Integration.Tests.Triggers;

/// <summary>How long it takes from an event to its run, over RabbitMQ and PostgreSQL, at two paces.</summary>
[Collection(ServersCollection.Name)]
public sealed class EventPaceTests(BrokerAndDatabase servers, ITestOutputHelper output)
{
    [Fact]
    public async Task Event_OfMany_HasItsRunSoon()
    {
        await using var flow = await EventFlow.StartAsync(servers);
        await flow.RegisterAsync(10, TimeSpan.FromMilliseconds(100)); // whatever is done once
        await flow.RunsAsync(10);

        var calm = await MeasureAsync(flow, 100, TimeSpan.FromMilliseconds(100));
        var brisk = await MeasureAsync(flow, 500, TimeSpan.FromMilliseconds(20));

        calm.ShouldBeLessThan(3000, "the aim is 1 s on a machine that does nothing else");
        brisk.ShouldBeLessThan(60_000, "it may fall behind on a busy machine, and not without end");
    }

    /// <summary>Registers versions at a pace and returns the 95th percentile in milliseconds.</summary>
    private async Task<double> MeasureAsync(EventFlow flow, int number, TimeSpan apart)
    {
        var before = flow.Registered;
        await flow.RegisterAsync(number, apart);
        await flow.RunsAsync(before + number);
        var delays = await flow.DelaysAsync(before);
        output.WriteLine(
            $"event to queued, {number} events, {1 / apart.TotalSeconds:0} a second: p50 {delays[number / 2]:0} ms, p95 {delays[number * 95 / 100]:0} ms, "
                + $"longest {delays[^1]:0} ms; in the ledger: p95 {await flow.LedgerDelayAsync(before):0} ms");
        return delays[number * 95 / 100];
    }
}
