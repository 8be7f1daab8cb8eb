namespace Espalier.Platform.Servers;

/// <summary>A server program that the platform can run.</summary>
internal interface IPlatformServer
{
    /// <summary>Name of the server, of its folder and of its log.</summary>
    string Name { get; }

    /// <summary>Debian packages that are missing.</summary>
    IReadOnlyList<string> MissingPackages { get; }

    /// <summary>Installs what does not come as a Debian package, and writes folders and configuration. Keeps what is there.</summary>
    Task PrepareAsync(Action<string> say, CancellationToken cancellationToken);

    /// <summary>Its processes, in the order in which they are started.</summary>
    IReadOnlyList<ProcessPlan> Processes { get; }
}
