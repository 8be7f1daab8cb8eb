namespace Espalier.Messaging.Tests.Broker;

[Collection(BrokerCollection.Name)]
public sealed class TlsTests(PlatformBroker broker)
{
    [Fact]
    public async Task Start_BrokerSignedByTheNamedAuthority_Works()
    {
        var heard = new Heard();
        await using var orchestrator = await TestService.StartOrchestratorAsync(broker.TlsOptionsOf("orchestrator", broker.Authority), heard);
        await using var worker = await TestService.StartWorkerAsync(broker.TlsOptionsOf("pruner", broker.Authority), heard, "prune");

        (await worker.ClaimAsync("pruner")).ShouldBeTrue();
        (
            await new Messaging.Broker.BrokerQueues(broker.TlsOptionsOf("orchestrator", broker.Authority)).ListAsync([], default)).ShouldContain(q =>
                q.Name == "orchestrator");
    }

    [Fact]
    public async Task Start_BrokerSignedByAnotherAuthority_IsRefused()
    {
        var options = broker.TlsOptionsOf("pruner", broker.OtherAuthority);
        options.StartTimeout = TimeSpan.FromSeconds(3);

        await Should.ThrowAsync<Exception>(() => TestService.StartWorkerAsync(options, new Heard(), "prune"));
        await Should.ThrowAsync<RabbitMQ.Client.Exceptions.BrokerUnreachableException>(() => new Messaging.Broker.BrokerQueues(options).ListAsync([], default));
    }
}
