using System.Text.Json;
using Espalier.Contracts;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Espalier.Messaging.Tests;

public sealed class BusTests
{
    [Fact]
    public async Task Request_RecordsWithRequiredMembers_ArriveUnchanged()
    {
        using var host = await StartAsync();
        var client = host.Services.GetRequiredService<IServiceScopeFactory>().CreateScope().ServiceProvider.GetRequiredService<IRequestClient<ClaimStep>>();

        var answer = await client.GetResponse<StepAssignment, NoStep>(new ClaimStep { Worker = "w", Kinds = ["train"], Devices = ["cpu"], MemoryBytes = 7 });

        answer.Is(out Response<StepAssignment>? assignment).ShouldBeTrue();
        assignment!.Message.Step.ShouldBe(Answering.Assignment.Step);
        assignment.Message.Inputs.ShouldBe(Answering.Assignment.Inputs);
        assignment.Message.Lease.ShouldBe(Answering.Assignment.Lease);
        assignment.Message.Options.GetProperty("top-k").GetInt32().ShouldBe(2);
        await host.StopAsync();
    }

    [Fact]
    public async Task Send_ToHintQueueThatNobodyListensTo_IsNotAnError()
    {
        using var host = await StartAsync();
        var bus = host.Services.GetRequiredService<IBus>();
        var endpoint = await bus.GetSendEndpoint(EndpointNames.AddressOf(EndpointNames.Work("train", "cuda")));

        await Should.NotThrowAsync(() => endpoint.Send(new StepReady { Kind = "train", Device = "cuda" }));
        await host.StopAsync();
    }

    private static async Task<IHost> StartAsync()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddEspalierBus(new MessagingOptions(), bus =>
        {
            bus.AddConsumer<Answering>().Endpoint(e => e.Name = EndpointNames.Orchestrator);
            bus.AddRequestClient<ClaimStep>(EndpointNames.AddressOf(EndpointNames.Orchestrator));
        });
        var host = builder.Build();
        await host.StartAsync();
        return host;
    }

    private sealed class Answering : IConsumer<ClaimStep>
    {
        public static readonly StepAssignment Assignment = new()
        {
            Step = new StepAddress(Guid.Parse("5f3f6d0e-6f0b-4d57-9f52-1b1a6a3f0001"), "base", Digest.Of("key"u8)),
            Kind = "train",
            Fence = 3,
            Lease = TimeSpan.FromSeconds(15),
            Options = JsonSerializer.SerializeToElement(new Dictionary<string, int> { ["top-k"] = 2 }),
            Inputs = [new StepInput("text", "data", new ManifestRef(ArtifactKind.Dataset, Digest.Of("data"u8), 12))],
            Device = "cpu",
        };

        public Task Consume(ConsumeContext<ClaimStep> context) =>
            context.Message is { Worker: "w", Kinds: ["train"], MemoryBytes: 7 }
                ? context.RespondAsync(Assignment)
                : context.RespondAsync(new NoStep());
    }
}
