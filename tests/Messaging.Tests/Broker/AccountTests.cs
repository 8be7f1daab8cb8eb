using System.Text.Json;
using Espalier.Contracts;
using Espalier.Messaging.Broker;
using MassTransit;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Espalier.Messaging.Tests.Broker;

/// <summary>Every service works with its own account on a real broker, and can do nothing else there.</summary>
[Collection(BrokerCollection.Name)]
public sealed class AccountTests(PlatformBroker broker)
{
    public static TheoryData<string> Workers => [.. ServiceAccounts.All.Where(a => a.Kinds.Count > 0).Select(a => a.Name)];

    [Fact]
    public async Task Services_WithTheirOwnAccounts_ReachEachOther()
    {
        var heard = new Heard();
        await using var orchestrator = await TestService.StartOrchestratorAsync(broker.OptionsOf("orchestrator"), heard);
        foreach (var account in ServiceAccounts.All.Where(a => a.Kinds.Count > 0))
        {
            await using var worker = await TestService.StartWorkerAsync(broker.OptionsOf(account.Name), heard, [.. account.Kinds]);

            (await worker.ClaimAsync(account.Name)).ShouldBeTrue();
            await worker.Bus.Publish(
                new StageAdvertised
                {
                    Kind = account.Kinds[0],
                    Version = "1",
                    NumericsClass = "any",
                    Schema = JsonSerializer.SerializeToElement(1),
                    Worker = account.Name,
                });
            foreach (var kind in account.Kinds)
            {
                var queue = await orchestrator.Bus.GetSendEndpoint(EndpointNames.AddressOf(EndpointNames.Work(kind, "cpu")));
                await queue.Send(new StepReady { Kind = kind, Device = "cpu" });
            }

            await Heard.UntilAsync(() => heard.Stages.Contains(account.Name) && account.Kinds.All(heard.Hints.Contains));
        }
    }

    [Fact]
    public async Task Registry_AskedByTheOrchestrator_Answers()
    {
        var heard = new Heard();
        await using var orchestrator = await TestService.StartOrchestratorAsync(broker.OptionsOf("orchestrator"), heard);
        await using var registry = await TestService.StartRegistryAsync(broker.OptionsOf("registry"), heard);

        var client = orchestrator.Bus.CreateRequestClient<FindModel>(EndpointNames.AddressOf(EndpointNames.Registry), RequestTimeout.After(s: 20));

        (await client.GetResponse<ModelFound>(new FindModel("model:small@best"))).Message.Model.ShouldBeNull();
        await RefusedAsync("evaluator", channel => channel.BasicGetAsync("registry", autoAck: true));
    }

    [Fact]
    public async Task Registry_TellsOfItsEvents_TheOrchestratorHears()
    {
        var heard = new Heard();
        await using var orchestrator = await TestService.StartOrchestratorAsync(broker.OptionsOf("orchestrator"), heard);
        await using var registry = await TestService.StartRegistryAsync(broker.OptionsOf("registry"), heard);

        await registry.Bus.Publish(new ModelRegistered("demo", 1, Digest.Of("x"u8), Guid.Empty));
        await registry.Bus.Publish(new AliasMoved("demo", "best", 1, null, "ada", ""));
        await registry.Bus.Publish(new GateDecided("demo", "best", 1, true, "ada"));

        await Heard.UntilAsync(() => heard.Stages.Distinct().Count() == 3);
        await RefusedAsync("evaluator", channel => channel.BasicGetAsync(EndpointNames.Triggers, autoAck: true));
    }

    [Fact]
    public async Task Worker_AskedForAnEstimate_Answers()
    {
        var heard = new Heard();
        await using var orchestrator = await TestService.StartOrchestratorAsync(broker.OptionsOf("orchestrator"), heard);
        foreach (var account in ServiceAccounts.All.Where(a => a.Kinds.Count > 0))
        {
            await using var worker = await TestService.StartEstimatorAsync(broker.OptionsOf(account.Name), heard, account.Kinds);
            foreach (var kind in account.Kinds)
            {
                var address = EndpointNames.AddressOf(EndpointNames.Estimates(kind));
                var client = orchestrator.Bus.CreateRequestClient<EstimateStep>(address, RequestTimeout.After(s: 20));
                var request = new EstimateStep { Kind = kind, Name = kind, Options = JsonSerializer.SerializeToElement(1), Inputs = [] };

                (await client.GetResponse<StepEstimated>(request)).Message.NewBytes.ShouldBe(kind.Length);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Workers))]
    public async Task Worker_OutsideItsRights_IsRefused(string service)
    {
        var other = service == "pruner" ? "upcycle" : "prune";

        await RefusedAsync(service, channel => channel.QueueDeclareAsync($"work-{other}-cpu", durable: true, exclusive: false, autoDelete: false));
        await RefusedAsync(service, channel => channel.BasicGetAsync("dead-letters", autoAck: true));
        await RefusedAsync(service, channel => channel.QueueDeclareAsync("anything"));
        await RefusedAsync(service, channel => channel.ExchangeDeleteAsync("dead-letters"));
        await RefusedAsync(service, async channel =>
        {
            await channel.BasicPublishAsync("amq.topic", "", body: "x"u8.ToArray());
            await channel.QueueDeclarePassiveAsync("dead-letters"); // a refused publish shows at the next answer
        });
    }

    [Fact]
    public async Task Worker_ReadsWhatOthersTell_IsRefused()
    {
        var heard = new Heard();
        await using var orchestrator = await TestService.StartOrchestratorAsync(broker.OptionsOf("orchestrator"), heard);

        await RefusedAsync("evaluator", channel => channel.BasicGetAsync("orchestrator", autoAck: true));
        await RefusedAsync("evaluator", async channel =>
        {
            var mine = await channel.QueueDeclareAsync("evaluator_bus_spy", durable: false, exclusive: true, autoDelete: true);
            await channel.QueueBindAsync(mine.QueueName, $"Espalier.Contracts:{nameof(StageAdvertised)}", "");
        });
    }

    [Theory]
    [InlineData("guest", "guest")]
    [InlineData("pruner", "password-of-upcycler")]
    public async Task Login_DefaultAccountOrWrongPassword_IsRefused(string user, string password)
    {
        var options = broker.OptionsOf("orchestrator");
        var factory = new ConnectionFactory
        {
            HostName = options.Broker.Host,
            Port = options.Broker.Port,
            VirtualHost = BrokerDefinitions.VirtualHost,
            UserName = user,
            Password = password,
        };

        await Should.ThrowAsync<BrokerUnreachableException>(() => factory.CreateConnectionAsync());
    }

    private async Task RefusedAsync(string service, Func<IChannel, Task> attempt)
    {
        var options = broker.OptionsOf(service);
        var factory = new ConnectionFactory
        {
            HostName = options.Broker.Host,
            Port = options.Broker.Port,
            VirtualHost = BrokerDefinitions.VirtualHost,
            UserName = service,
            Password = options.Password,
        };
        await using var connection = await factory.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();

        var refusal = await Should.ThrowAsync<OperationInterruptedException>(() => attempt(channel));

        refusal.ShutdownReason!.ReplyCode.ShouldBe((ushort)Constants.AccessRefused);
    }
}
