namespace Espalier.TestKit.Servers;

/// <summary>A RabbitMQ and a PostgreSQL that the tests of a collection share.</summary>
public sealed class BrokerAndDatabase : IAsyncLifetime
{
    /// <summary>The broker.</summary>
    public RabbitMqServer Broker { get; } = new();

    /// <summary>The database server.</summary>
    public PostgresServer Database { get; } = new();

    /// <summary>Starts both.</summary>
    public Task InitializeAsync() => Task.WhenAll(Broker.InitializeAsync(), Database.InitializeAsync());

    /// <summary>Stops both.</summary>
    public Task DisposeAsync() => Task.WhenAll(Broker.DisposeAsync(), Database.DisposeAsync());
}
