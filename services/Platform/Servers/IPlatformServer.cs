namespace Espalier.Platform.Servers;

/// <summary>A server that the platform can run.</summary>
internal interface IPlatformServer
{
    /// <summary>Name of the server, of its folder and of its log.</summary>
    string Name { get; }

    /// <summary>Debian packages that are missing.</summary>
    IReadOnlyList<string> MissingPackages { get; }

    /// <summary>Installs what is not a Debian package, and writes folders and configuration; keeps existing data.</summary>
    Task PrepareAsync(Action<string> say, CancellationToken cancellationToken);

    /// <summary>Its processes, in the order of their start.</summary>
    IReadOnlyList<ProcessPlan> Processes { get; }
}
