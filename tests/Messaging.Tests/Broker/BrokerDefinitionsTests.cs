using System.Text.Json.Nodes;
using Espalier.Messaging.Broker;

namespace Espalier.Messaging.Tests.Broker;

public sealed class BrokerDefinitionsTests
{
    [Fact]
    public void File_OfInfra_IsWhatTheCodeWrites()
    {
        var path = Path.Combine(RepositoryRoot(), "infra", "rabbitmq", "definitions.json");

        var same = JsonNode.DeepEquals(JsonNode.Parse(File.ReadAllText(path)), JsonNode.Parse(BrokerDefinitions.Write()));

        if (!same)
            File.WriteAllText(Path.Combine(Path.GetTempPath(), "definitions.json"), BrokerDefinitions.Write());
        same.ShouldBeTrue($"{path} is out of date; the right one is in {Path.GetTempPath()}definitions.json");
    }

    [Fact]
    public void Write_Passwords_AreSaltedDigests()
    {
        var passwords = new Dictionary<string, string> { ["pruner"] = "correct-horse" };

        var (first, second) = (BrokerDefinitions.Write(passwords), BrokerDefinitions.Write(passwords));

        first.ShouldNotContain("correct-horse");
        first.ShouldNotBe(second);
    }

    private static string RepositoryRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Platform.sln")))
            folder = folder.Parent ?? throw new DirectoryNotFoundException("Platform.sln is in no folder above the tests.");
        return folder.FullName;
    }
}
