using Espalier.Messaging.Broker;

namespace Espalier.Messaging.Tests.Broker;

/// <summary>A broker whose disk is full from the start.</summary>
public sealed class BrokerAlarmTests(BrokerAlarmTests.FullBroker broker) : IClassFixture<BrokerAlarmTests.FullBroker>
{
    [Fact]
    public async Task FindAlarm_DiskFull_SaysSo()
    {
        var queues = new BrokerQueues(broker.OptionsOf("orchestrator"));
        string? alarm = null;

        // The broker looks at its disk a moment after it has started.
        await Heard.UntilAsync(async () => (alarm = await queues.FindAlarmAsync(default)) is not null);

        alarm.ShouldNotBeNull().ShouldContain("disk");
    }

    public sealed class FullBroker : PlatformBroker
    {
        protected override async Task<string> SettingsAsync(string folder) => await base.SettingsAsync(folder) + "disk_free_limit.absolute = 1000TB\n";
    }
}
