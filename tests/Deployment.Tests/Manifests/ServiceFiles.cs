using System.Text.RegularExpressions;
using System.Xml.Linq;
using Espalier.TestKit.Servers;

namespace Espalier.Deployment.Tests.Manifests;

/// <summary>What the code says about its services: images, ports, version.</summary>
internal static partial class ServiceFiles
{
    /// <summary>Version of everything here.</summary>
    public static string Version { get; } =
        XDocument.Load(Repository.PathOf("Directory.Build.props")).Descendants("Version").Single().Value;

    /// <summary>Services that have a Dockerfile.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. Directory.GetFiles(Repository.PathOf("docker"), "*.Dockerfile").Select(f => Path.GetFileName(f).Split('.')[0]).Order(StringComparer.Ordinal)];

    /// <summary>A service's Dockerfile.</summary>
    public static string Dockerfile(string service) => File.ReadAllText(Repository.PathOf($"docker/{service}.Dockerfile"));

    /// <summary>The stages of a service's Dockerfile that have a name.</summary>
    public static IReadOnlyList<string> StagesOf(string service) => [.. Stage().Matches(Dockerfile(service)).Select(m => m.Groups[1].Value)];

    /// <summary>The port that its image exposes.</summary>
    public static int PortOf(string service) => int.Parse(Exposed().Match(Dockerfile(service)).Groups[1].Value);

    [GeneratedRegex(@"^FROM \S+ AS (\S+)$", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Stage();

    [GeneratedRegex(@"^EXPOSE (\d+)$", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Exposed();
}
