using Espalier.Messaging.Broker;
using Espalier.TestKit.Servers;

namespace Espalier.Platform.Tests;

/// <summary>The compose files offer what pipelines ask for.</summary>
public sealed class ComposeTests
{
    [Theory]
    [InlineData("cpu", "compose.yaml")]
    [InlineData("cpu", "compose.yaml", "compose.cuda.yaml")]
    [InlineData("cuda", "compose.yaml", "compose.cuda.yaml")]
    [InlineData("cpu", "compose.cuda.yaml")]
    [InlineData("cuda", "compose.cuda.yaml")]
    public void Services_OfTheFiles_OfferEveryKindOnTheDevice(string device, params string[] files)
    {
        var offering = ComposeFiles.Read(files).Values.Where(s => s.Devices.Contains(device))
            .Select(s => s.Environment.GetValueOrDefault("ESPALIER__MESSAGING__USER_NAME", "")).ToHashSet();

        // Models are registered by the registry, which needs no GPU and is in the first file.
        var hasRegistry = device == "cpu" && files.Contains("compose.yaml");
        var expected = ServiceAccounts.All.Where(a => a.Kinds.Count > 0 && (hasRegistry || a.Name != "registry")).Select(a => a.Name);
        expected.Where(a => !offering.Contains(a)).ShouldBeEmpty();
    }
}
