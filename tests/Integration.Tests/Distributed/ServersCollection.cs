using Espalier.TestKit.Servers;

namespace Espalier.Integration.Tests.Distributed;

/// <summary>Tests that share one broker and one database server, and so run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class ServersCollection : ICollectionFixture<BrokerAndDatabase>
{
    public const string Name = "servers";
}
