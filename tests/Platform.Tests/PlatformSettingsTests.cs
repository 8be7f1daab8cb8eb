using System.Net;
using System.Net.Sockets;

namespace Espalier.Platform.Tests;

public sealed class PlatformSettingsTests
{
    [Fact]
    public void Port_SameName_StaysAndIsUnlikeOthers()
    {
        var settings = new PlatformSettings();

        var first = settings.Port("orchestrator");

        settings.Port("orchestrator").ShouldBe(first);
        settings.Port("registry").ShouldNotBe(first);
    }

    [Fact]
    public void Port_TakenMeanwhile_IsReplaced()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var taken = ((IPEndPoint)other.LocalEndpoint).Port;
        var settings = new PlatformSettings { Ports = { ["orchestrator"] = taken } };

        var port = settings.Port("orchestrator");

        port.ShouldNotBe(taken);
        settings.Ports["orchestrator"].ShouldBe(port);
    }

    [Fact]
    public void Secret_SameName_StaysAndHas256Bits()
    {
        var settings = new PlatformSettings();

        var secret = settings.Secret("administrator");

        settings.Secret("administrator").ShouldBe(secret);
        settings.Secret("database-owner").ShouldNotBe(secret);
        Convert.FromHexString(secret).Length.ShouldBe(32);
    }
}
