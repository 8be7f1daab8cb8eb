using Espalier.Contracts;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Espalier.Messaging.Tests;

public sealed class MessageSizeGuardTests
{
    [Fact]
    public async Task Send_LargerThanMessagesMayBe_IsRefusedBySenderAndNamesTheSize()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.ClearProviders();
        builder.Services.AddEspalierBus(new MessagingOptions(), _ => { });
        using var host = builder.Build();
        await host.StartAsync();
        var bus = host.Services.GetRequiredService<IBus>();
        var queue = await bus.GetSendEndpoint(new Uri("queue:somewhere"));
        var large = new SubmitRun { RunId = Guid.NewGuid(), Pipeline = new string('x', 40 << 10), FileName = "a.yaml" };

        (await Should.ThrowAsync<MessageTooLargeException>(() => queue.Send(large))).Message.ShouldContain("SubmitRun of 4");
        await Should.ThrowAsync<MessageTooLargeException>(() => bus.Publish(large));
        await queue.Send(large with { Pipeline = new string('x', MessageLimits.LongestPipeline) });

        await host.StopAsync();
    }
}
