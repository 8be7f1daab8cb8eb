using System.Net;
using Espalier.Contracts;
using Espalier.Hosting;
using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Espalier.Messaging.Tests.Broker;

/// <summary>
/// A service says that it is not ready as soon as it cannot take messages, and is ready again by itself. The broker is its
/// own: one that is killed soon after a quorum queue was declared may not find a leader for it again.
/// </summary>
public sealed class ReadinessTests(PlatformBroker broker) : IClassFixture<PlatformBroker>
{
    [Fact]
    public async Task Readyz_BrokerStopsAndComesBack_FollowsAndConsumesAgain()
    {
        await using var app = Build();
        await app.StartAsync();
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
        await Heard.UntilAsync(async () => await StatusAsync(client, "/readyz") == HttpStatusCode.OK);

        await broker.CrashAsync();
        await Heard.UntilAsync(async () => await StatusAsync(client, "/readyz") == HttpStatusCode.ServiceUnavailable);
        (await StatusAsync(client, "/healthz")).ShouldBe(HttpStatusCode.OK, "the process itself is well");

        await broker.StartAsync();
        await Heard.UntilAsync(async () => await StatusAsync(client, "/readyz") == HttpStatusCode.OK);
        var requests = app.Services.GetRequiredService<IBus>()
            .CreateRequestClient<ClaimStep>(EndpointNames.AddressOf(EndpointNames.Orchestrator), TimeSpan.FromSeconds(20));
        (await requests.GetResponse<NoStep>(new ClaimStep { Worker = "w", Kinds = [], Devices = [] })).ShouldNotBeNull();
        await app.StopAsync();
    }

    private WebApplication Build() => ServiceHost.Build("orchestrator", [], builder =>
    {
        builder.Logging.ClearProviders();
        LogContext.ConfigureCurrentLogContext(Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance);
        builder.Services.AddEspalierBus(
            broker.OptionsOf("orchestrator"), bus => bus.AddConsumer<Answering>().Endpoint(e => e.Name = EndpointNames.Orchestrator));
    });

    private static async Task<HttpStatusCode> StatusAsync(HttpClient client, string path)
    {
        using var answer = await client.GetAsync(path);
        return answer.StatusCode;
    }

    private sealed class Answering : IConsumer<ClaimStep>
    {
        public Task Consume(ConsumeContext<ClaimStep> context) => context.RespondAsync(new NoStep());
    }
}
