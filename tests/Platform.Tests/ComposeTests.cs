using Espalier.Messaging.Broker;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace Espalier.Platform.Tests;

/// <summary>The compose files offer what pipelines ask for.</summary>
public sealed class ComposeTests
{
    [Theory]
    [InlineData("cpu", "compose.yaml")]
    [InlineData("cpu", "compose.yaml", "compose.cuda.yaml")]
    [InlineData("cuda", "compose.yaml", "compose.cuda.yaml")]
    public void Services_OfTheFiles_OfferEveryKindOnTheDevice(string device, params string[] files)
    {
        // As compose merges: the later file's environment wins, name by name.
        var services = new Dictionary<string, Dictionary<string, string>>();
        foreach (var (name, service) in files.SelectMany(Services))
        {
            var environment = services.TryGetValue(name, out var known) ? known : services[name] = [];
            foreach (var (setting, value) in (Dictionary<object, object>)service.GetValueOrDefault("environment", new Dictionary<object, object>()))
                environment[(string)setting] = $"{value}";
        }

        var offering = services.Values
            .Where(e => e.GetValueOrDefault("ESPALIER__WORKER__DEVICE", "cpu") == device)
            .Select(e => e.GetValueOrDefault("ESPALIER__MESSAGING__USER_NAME", "")).ToHashSet();
        var expected = ServiceAccounts.All.Where(a => a.Kinds.Count > 0 && (device == "cpu" || a.Name != "registry")).Select(a => a.Name);
        expected.Where(a => !offering.Contains(a)).ShouldBeEmpty();
    }

    private static IEnumerable<(string Name, Dictionary<object, object> Service)> Services(string file)
    {
        using var text = new StreamReader(Path.Combine(RepositoryRoot(), "docker", file));
        var root = new DeserializerBuilder().Build().Deserialize<Dictionary<string, object>>(new MergingParser(new Parser(text)));
        return ((Dictionary<object, object>)root["services"]).Select(s => ((string)s.Key, (Dictionary<object, object>)s.Value));
    }

    private static string RepositoryRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Platform.sln")))
            folder = folder.Parent ?? throw new DirectoryNotFoundException("Platform.sln is in no folder above the tests.");
        return folder.FullName;
    }
}
