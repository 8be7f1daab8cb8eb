namespace Espalier.Datasets.Packages;

/// <summary>Where a package comes from.</summary>
public enum PackageRegistry
{
    /// <summary>npm, fetched with <c>npm pack</c>.</summary>
    Npm,

    /// <summary>Debian, fetched with <c>apt-get download</c>.</summary>
    Debian,
}

/// <summary>One pinned package.</summary>
/// <param name="Registry">Where it comes from.</param>
/// <param name="Name">Its name.</param>
/// <param name="Version">Its version.</param>
public sealed record PackageId(PackageRegistry Registry, string Name, string Version)
{
    /// <inheritdoc/>
    public override string ToString() => $"{(Registry == PackageRegistry.Npm ? "npm" : "deb")} {Name} {Version}";
}
