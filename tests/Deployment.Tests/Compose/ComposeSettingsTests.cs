using Espalier.Deployment.Tests.Kubernetes;
using Espalier.Deployment.Tests.Manifests;
using Espalier.TestKit.Servers;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace Espalier.Deployment.Tests.Compose;

/// <summary>The compose files set what services read, and build stages that the Dockerfiles have.</summary>
public sealed class ComposeSettingsTests
{
    [Theory]
    [InlineData("compose.yaml")]
    [InlineData("compose.cuda.yaml")]
    public void Services_OfAFile_SetWhatTheyRead(string file) => ProblemsOf(Text(file)).ShouldBeEmpty();

    [Theory]
    [InlineData("ESPALIER__STORE__CACHE_FOLDER", "ESPALIER__STORE__CASH_FOLDER", "no such setting")]
    [InlineData("target: cpu", "target: cpus", "no stage")]
    [InlineData("docker/pruner.Dockerfile", "docker/prunner.Dockerfile", "no Dockerfile")]
    [InlineData("http://0.0.0.0:8080", "http://0.0.0.0:8090", "port")]
    public void Services_Wrong_AreFound(string right, string wrong, string expected)
    {
        var text = Text("compose.yaml");
        text.ShouldContain(right);

        ProblemsOf(text.Replace(right, wrong, StringComparison.Ordinal)).ShouldContain(p => p.Contains(expected));
    }

    private static string Text(string file) => File.ReadAllText(Repository.PathOf($"docker/{file}"));

    private static IEnumerable<string> ProblemsOf(string text)
    {
        var root = new DeserializerBuilder().Build().Deserialize<Dictionary<string, object>>(new MergingParser(new Parser(new StringReader(text))));
        foreach (var (key, value) in (Dictionary<object, object>)root["services"])
        {
            var service = (Dictionary<object, object>)value;
            if (!service.TryGetValue("build", out var found))
                continue;
            var build = (Dictionary<object, object>)found;
            var name = Path.GetFileName($"{build["dockerfile"]}").Split('.')[0];
            if (!ServiceFiles.Names.Contains(name))
            {
                yield return $"{key}: there is no Dockerfile of {name}.";
                continue;
            }
            if (build.TryGetValue("target", out var target) && !ServiceFiles.StagesOf(name).Contains($"{target}"))
                yield return $"{key}: its Dockerfile has no stage {target}.";
            // Values that people give are checked where they give them.
            var environment = ((Dictionary<object, object>)service["environment"]).ToDictionary(v => $"{v.Key}", v => $"{v.Value}")
                .Where(v => !v.Value.Contains("${", StringComparison.Ordinal)).ToDictionary();
            if (new Uri(environment["ESPALIER__HTTP__URL"]).Port != ServiceFiles.PortOf(name))
                yield return $"{key}: it listens on another port than its image exposes.";
            foreach (var problem in ServiceSettings.ProblemsOf(name, environment))
                yield return $"{key}: {problem}";
        }
    }
}
