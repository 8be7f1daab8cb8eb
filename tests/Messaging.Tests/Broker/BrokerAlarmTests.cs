using Espalier.Messaging.Broker;

namespace Espalier.Messaging.Tests.Broker;

/// <summary>A broker whose disk is full from the start.</summary>
public sealed class BrokerAlarmTests(BrokerAlarmTests.FullBroker broker) : IClassFixture<BrokerAlarmTests.FullBroker>
{
    [Fact]
    public async Task FindAlarm_DiskFull_SaysSoWithinASecondOrTwo()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));

        (await new BrokerQueues(broker.OptionsOf("orchestrator")).FindAlarmAsync(limit.Token)).ShouldNotBeNull().ShouldContain("disk");
    }

    public sealed class FullBroker : PlatformBroker
    {
        protected override async Task<string> SettingsAsync(string folder) => await base.SettingsAsync(folder) + "disk_free_limit.absolute = 1000TB\n";
    }
}
