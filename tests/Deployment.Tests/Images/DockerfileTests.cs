using System.Text.RegularExpressions;
using Espalier.Deployment.Tests.Manifests;
using Espalier.Deployment.Tests.Tools;
using Espalier.Messaging.Broker;
using Espalier.TestKit.Servers;

namespace Espalier.Deployment.Tests.Images;

/// <summary>Every service has a Dockerfile that builds it as it must be built.</summary>
public sealed partial class DockerfileTests : IDisposable
{
    private static readonly string[] WithoutTensors = ["orchestrator", "registry"];
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dockerfile-");

    public static TheoryData<string> Services { get; } = [.. ServiceAccounts.All.Select(a => a.Name)];

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Dockerfiles_AreThoseOfTheServices() => ServiceFiles.Names.ShouldBe(ServiceAccounts.All.Select(a => a.Name), ignoreOrder: true);

    [Theory]
    [MemberData(nameof(Services))]
    public void Dockerfile_OfAService_BuildsIt(string service)
    {
        ProblemsOf(service, ServiceFiles.Dockerfile(service)).ShouldBeEmpty();
        DockerfileLinters.Lint(Repository.PathOf($"docker/{service}.Dockerfile")).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("pruner", "sdk:10.0.401-noble", "sdk:10.0", "not an exact version")]
    [InlineData("pruner", "noble@sha256:", "noble@sha512:", "not an exact version with its digest")]
    [InlineData("pruner", "USER $APP_UID\n", "", "root")]
    [InlineData("pruner", "g++ ", "", "kernels")]
    [InlineData("pruner", "-p:Torch=TorchSharp-cuda-linux", "-p:Torch=TorchSharp-rocm", "no package TorchSharp-rocm")]
    [InlineData("pruner", "\"Espalier.Pruner.dll\"", "\"Espalier.Quantizer.dll\"", "does not start")]
    [InlineData("registry", "-p:BuildPortal=false", "-p:BuildPortal=false -p:Torch=TorchSharp-cpu", "tensor library")]
    [InlineData("registry", "--filename sbom.json", "--filename bom.json", "packages")]
    [InlineData("cpt-trainer", "bin/npm-cli.js /usr/local/bin/npm", "bin/npm-cli.js /usr/local/bin/np", "npm")]
    public void Dockerfile_Wrong_IsFound(string service, string right, string wrong, string expected)
    {
        var text = ServiceFiles.Dockerfile(service);
        text.ShouldContain(right);

        ProblemsOf(service, text.Replace(right, wrong, StringComparison.Ordinal)).ShouldContain(p => p.Contains(expected));
    }

    [Theory]
    [InlineData("FROM debian:12.1\nCOPPY a b\n", "COPPY")]
    [InlineData("FROM debian:latest\nRUN ls\n", "Latest")]
    [InlineData("FROM debian:12.1\nEXPOSE 99999999\n", "Port")]
    public void Lint_WrongFile_SaysSo(string text, string expected)
    {
        var file = Path.Combine(_folder.FullName, "Dockerfile");
        File.WriteAllText(file, text);

        DockerfileLinters.Lint(file).ShouldContain(p => p.Contains(expected));
    }

    private static IEnumerable<string> ProblemsOf(string service, string text)
    {
        var project = string.Concat(service.Split('-').Select(w => char.ToUpperInvariant(w[0]) + w[1..]));
        var stages = Base().Matches(text).Select(m => m.Groups["name"].Value).Where(n => n.Length > 0).ToHashSet();
        foreach (var image in Base().Matches(text).Select(m => m.Groups["image"].Value).Where(i => !stages.Contains(i) && !Exact().IsMatch(i)))
            yield return $"{image} is not an exact version with its digest.";
        if (!text.Contains("USER $APP_UID\n", StringComparison.Ordinal))
            yield return "it runs as root.";
        if (!text.Contains($"\"Espalier.{project}.dll\"", StringComparison.Ordinal) || !File.Exists(Repository.PathOf($"services/{project}/{project}.csproj")))
            yield return $"it does not start {project}.";
        var publishes = Publish().Matches(text).ToList();
        if (publishes.Count != (WithoutTensors.Contains(service) ? 1 : 2) || publishes.Any(p => p.Groups["project"].Value != project))
            yield return $"it does not publish {project}, once for each device.";
        if (Regex.Count(text, $@"CycloneDX services/{project}/{project}\.csproj .*--output /app --filename sbom\.json") != publishes.Count)
            yield return "the image does not say which packages it holds.";
        var engines = Engine().Matches(text).Select(m => m.Groups[1].Value).ToList();
        if (WithoutTensors.Contains(service))
        {
            if (engines.Count > 0 || text.Contains("g++", StringComparison.Ordinal))
                yield return "it brings a tensor library.";
            yield break;
        }
        var packages = File.ReadAllText(Repository.PathOf("Directory.Packages.props"));
        foreach (var engine in engines.Where(e => !packages.Contains($"Include=\"{e}\"", StringComparison.Ordinal)))
            yield return $"there is no package {engine}.";
        if (engines.Count != 1)
            yield return "it has not one variant with CUDA.";
        if (!text.Contains("cmake g++ make", StringComparison.Ordinal))
            yield return "the kernels cannot be compiled.";
        if (service == "cpt-trainer" && !text.Contains(" /usr/local/bin/npm\n", StringComparison.Ordinal))
            yield return "corpora come from packages, and it has no npm.";
    }

    [GeneratedRegex(@"^FROM (?<image>\S+)(?: AS (?<name>\S+))?$", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Base();

    [GeneratedRegex(@":\d+\.\d+\.\d+(-[a-z]+)?@sha256:[0-9a-f]{64}$", RegexOptions.CultureInvariant)]
    private static partial Regex Exact();

    [GeneratedRegex(@"dotnet publish services/(?<folder>\w+)/(?<project>\w+)\.csproj -c Release", RegexOptions.CultureInvariant)]
    private static partial Regex Publish();

    [GeneratedRegex(@"-p:Torch=(\S+)", RegexOptions.CultureInvariant)]
    private static partial Regex Engine();
}
