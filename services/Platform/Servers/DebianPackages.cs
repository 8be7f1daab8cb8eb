using Espalier.Platform.Processes;
using Espalier.Contracts;

namespace Espalier.Platform.Servers;

/// <summary>Installs Debian packages by name when a program is missing.</summary>
internal static class DebianPackages
{
    private const string Policy = "/usr/sbin/policy-rc.d";

    /// <summary>Installs what is missing.</summary>
    /// <param name="missing">Package names.</param>
    /// <param name="say">Receives messages about what is being done.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="UserInputException">This user may not install packages, or the installation failed.</exception>
    public static async Task InstallAsync(IReadOnlyList<string> missing, Action<string> say, CancellationToken cancellationToken)
    {
        if (missing.Count == 0)
            return;
        var names = string.Join(' ', missing);
        if (!File.Exists("/usr/bin/apt-get"))
            throw new UserInputException($"{names}: install with this system's package manager, or configure servers that run elsewhere.");
        if (Environment.UserName != "root")
            throw new UserInputException(
                $"{names}: run once  sudo apt-get update && sudo apt-get install -y --no-install-recommends {names}   "
                + "or configure servers that run elsewhere.");
        say($"installing {names}");
        using var quiet = new NoServiceStarts();
        var environment = new Dictionary<string, string> { ["DEBIAN_FRONTEND"] = "noninteractive" };
        await ToolRun.RunAsync(["apt-get", "update", "-q"], null, environment, cancellationToken).ConfigureAwait(false);
        await ToolRun.RunAsync(
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", .. missing], null, environment, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Keeps packages from starting their servers, which would take the default ports.</summary>
    private sealed class NoServiceStarts : IDisposable
    {
        private readonly bool _isOurs = !OperatingSystem.IsWindows() && !File.Exists(Policy);

        public NoServiceStarts()
        {
            if (!_isOurs || OperatingSystem.IsWindows())
                return;
            File.WriteAllText(Policy, "#!/bin/sh\nexit 101\n");
            File.SetUnixFileMode(Policy, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        public void Dispose()
        {
            if (_isOurs)
                File.Delete(Policy);
        }
    }
}
