using Espalier.Contracts;
using Espalier.Messaging.Broker;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Espalier.Messaging.Tests.Broker;

/// <summary>A process's part of the bus, with the account of a service and what that service does on the bus.</summary>
internal sealed class TestService(IHost host) : IAsyncDisposable
{
    public IBus Bus => host.Services.GetRequiredService<IBus>();

    /// <summary>The orchestrator: answers claims, listens to workers, sends hints.</summary>
    public static Task<TestService> StartOrchestratorAsync(MessagingOptions options, Heard heard) => StartAsync(options, heard, bus =>
    {
        bus.AddConsumer<Claims>().Endpoint(e => e.Name = EndpointNames.Orchestrator);
        bus.AddConsumer<Events>().Endpoint(e => e.Name = $"{EndpointNames.Orchestrator}-events");
        bus.AddConsumer<RegistryEvents>().Endpoint(e => e.Name = EndpointNames.Triggers);
    });

    /// <summary>The registry: answers questions for models.</summary>
    public static Task<TestService> StartRegistryAsync(MessagingOptions options, Heard heard) =>
        StartAsync(options, heard, bus => bus.AddConsumer<Models>().Endpoint(e => e.Name = EndpointNames.Registry));

    /// <summary>A worker: listens to the hints of its kinds.</summary>
    public static async Task<TestService> StartWorkerAsync(MessagingOptions options, Heard heard, params string[] kinds)
    {
        var service = await StartAsync(options, heard, _ => { });
        await Task.WhenAll(kinds.Select(kind => service.Bus.ConnectReceiveEndpoint(EndpointNames.Work(kind, "cpu"), endpoint =>
        {
            endpoint.ConfigureHints();
            endpoint.Handler<StepReady>(hint =>
            {
                heard.Hints.Add(hint.Message.Kind);
                return Task.CompletedTask;
            });
        }).Ready)).WaitAsync(TimeSpan.FromSeconds(60));
        return service;
    }

    /// <summary>A worker that answers requests for estimates.</summary>
    public static async Task<TestService> StartEstimatorAsync(MessagingOptions options, Heard heard, params IReadOnlyList<string> kinds)
    {
        var service = await StartAsync(options, heard, _ => { });
        await Task.WhenAll(kinds.Select(kind => service.Bus.ConnectReceiveEndpoint(EndpointNames.Estimates(kind), endpoint =>
        {
            endpoint.ConfigureConsumeTopology = false;
            endpoint.Handler<EstimateStep>(request => request.RespondAsync(new StepEstimated { NewBytes = request.Message.Kind.Length }));
        }).Ready)).WaitAsync(TimeSpan.FromSeconds(60));
        return service;
    }

    public async Task<bool> ClaimAsync(string worker)
    {
        var client = Bus.CreateRequestClient<ClaimStep>(EndpointNames.AddressOf(EndpointNames.Orchestrator), TimeSpan.FromSeconds(20));
        return (await client.GetResponse<NoStep>(new ClaimStep { Worker = worker, Kinds = ["train"], Devices = ["cpu"] })).Message is not null;
    }

    public async ValueTask DisposeAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        await host.StopAsync(limit.Token);
        host.Dispose();
    }

    private static async Task<TestService> StartAsync(MessagingOptions options, Heard heard, Action<IBusRegistrationConfigurator> configure)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        LogContext.ConfigureCurrentLogContext(Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance);
        builder.Services.AddSingleton(heard).AddEspalierBus(options, configure);
        var host = builder.Build();
        try
        {
            await host.StartAsync();
        }
        catch
        {
            host.Dispose();
            throw;
        }
        return new TestService(host);
    }

    private sealed class Models : IConsumer<FindModel>
    {
        public Task Consume(ConsumeContext<FindModel> context) => context.RespondAsync(new ModelFound(null));
    }

    private sealed class Claims : IConsumer<ClaimStep>
    {
        public Task Consume(ConsumeContext<ClaimStep> context) =>
            context.Message.Worker == "poison" ? throw new InvalidOperationException("no such worker") : context.RespondAsync(new NoStep());
    }

    private sealed class RegistryEvents(Heard heard) : IConsumer<ModelRegistered>, IConsumer<AliasMoved>, IConsumer<GateDecided>
    {
        public Task Consume(ConsumeContext<ModelRegistered> context) => HearAsync(context.Message);

        public Task Consume(ConsumeContext<AliasMoved> context) => HearAsync(context.Message);

        public Task Consume(ConsumeContext<GateDecided> context) => HearAsync(context.Message);

        private Task HearAsync(object message)
        {
            heard.Stages.Add(message.GetType().Name);
            return Task.CompletedTask;
        }
    }

    private sealed class Events(Heard heard) : IConsumer<StageAdvertised>
    {
        public Task Consume(ConsumeContext<StageAdvertised> context)
        {
            heard.Stages.Add(context.Message.Worker);
            return Task.CompletedTask;
        }
    }
}

/// <summary>What has arrived.</summary>
internal sealed class Heard
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    public System.Collections.Concurrent.ConcurrentBag<string> Hints { get; } = [];

    public System.Collections.Concurrent.ConcurrentBag<string> Stages { get; } = [];

    /// <summary>Waits for a condition.</summary>
    public static async Task UntilAsync(Func<Task<bool>> isMet)
    {
        using var limit = new CancellationTokenSource(Deadline);
        while (!await isMet())
            await Task.Delay(20, limit.Token);
    }

    public static Task UntilAsync(Func<bool> isMet) => UntilAsync(() => Task.FromResult(isMet()));
}
