using Espalier.TestKit.Servers;

namespace Espalier.CrashMatrix;

/// <summary>The servers that sites share.</summary>
internal sealed class Servers : IAsyncDisposable
{
    public RabbitMqServer Broker { get; } = new();

    public PostgresServer Database { get; } = new();

    public static async Task<Servers> StartAsync()
    {
        var servers = new Servers();
        await Task.WhenAll(servers.Broker.InitializeAsync(), servers.Database.InitializeAsync());
        return servers;
    }

    public async ValueTask DisposeAsync()
    {
        await Broker.DisposeAsync();
        await Database.DisposeAsync();
    }
}
