using Espalier.Tests.Servers;

namespace Espalier.Integration.Tests.Distributed;

/// <summary>The servers that the tests of this collection share.</summary>
public sealed class Servers : IAsyncLifetime
{
    public RabbitMqServer Broker { get; } = new();

    public PostgresServer Database { get; } = new();

    public Task InitializeAsync() => Task.WhenAll(Broker.InitializeAsync(), Database.InitializeAsync());

    public Task DisposeAsync() => Task.WhenAll(Broker.DisposeAsync(), Database.DisposeAsync());
}

[CollectionDefinition(Name)]
public sealed class ServersCollection : ICollectionFixture<Servers>
{
    public const string Name = "servers";
}
