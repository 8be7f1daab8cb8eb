namespace Espalier.CrashMatrix.Tests.Drills;

/// <summary>Broker and database of the drills and of the matrix, which come one after the other: each takes the whole machine.</summary>
[CollectionDefinition(Name)]
public sealed class DrillServers : IAsyncLifetime, ICollectionFixture<DrillServers>
{
    public const string Name = "drills";

    internal Servers Servers { get; private set; } = null!;

    public async Task InitializeAsync() => Servers = await Servers.StartAsync();

    public async Task DisposeAsync() => await Servers.DisposeAsync();
}
