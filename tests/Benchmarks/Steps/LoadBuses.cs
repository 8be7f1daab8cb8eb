using Espalier.Messaging;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Espalier.Benchmarks.Steps;

/// <summary>Connections to the broker that simulated workers share.</summary>
internal sealed class LoadBuses : IAsyncDisposable
{
    private readonly List<IHost> _hosts = [];

    /// <summary>The connections.</summary>
    public IReadOnlyList<IBus> All => [.. _hosts.Select(h => h.Services.GetRequiredService<IBus>())];

    /// <summary>Opens connections.</summary>
    public static async Task<LoadBuses> JoinAsync(Places places, int count)
    {
        var buses = new LoadBuses();
        for (var i = 0; i < count; i++)
        {
            var builder = Host.CreateApplicationBuilder();
            builder.Logging.ClearProviders();
            builder.Services.AddEspalierBus(new MessagingOptions { Transport = MessagingTransport.RabbitMq, Broker = places.Broker.Address }, _ => { });
            buses._hosts.Add(builder.Build());
            await buses._hosts[^1].StartAsync();
        }
        return buses;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var host in _hosts)
        {
            await host.StopAsync();
            host.Dispose();
        }
    }
}
