namespace Espalier.Registry;

/// <summary>Where the registry keeps names, versions and aliases.</summary>
public sealed class RegistryOptions
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Registry";

    /// <summary>A PostgreSQL connection string, or <c>Data Source=FILE</c> for SQLite.</summary>
    /// <value>A file <c>registry.db</c> in the working folder.</value>
    public string Database { get; set; } = "Data Source=registry.db";

    /// <summary>Whether <see cref="Database"/> names a PostgreSQL server.</summary>
    public bool IsPostgres => Database.Contains("Host=", StringComparison.OrdinalIgnoreCase);
}
