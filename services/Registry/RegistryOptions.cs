namespace Espalier.Registry;

/// <summary>Where the registry keeps names, versions and aliases, and how much it takes at once.</summary>
public sealed class RegistryOptions
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Registry";

    /// <summary>A PostgreSQL connection string, or <c>Data Source=FILE</c> for SQLite.</summary>
    /// <value>A file <c>registry.db</c> in the working folder.</value>
    public string Database { get; set; } = "Data Source=registry.db";

    /// <summary>Bytes of one uploaded tensor or file.</summary>
    /// <value>16 GiB</value>
    public long LargestBlob { get; set; } = 16L << 30;

    /// <summary>Bytes of the text that <c>espalier submit</c> may upload for one source.</summary>
    /// <value>64 GiB</value>
    public long LargestUpload { get; set; } = 64L << 30;

    /// <summary>Files of it.</summary>
    /// <value>200,000</value>
    public int MostUploadFiles { get; set; } = 200_000;

    /// <summary>Whether webhooks may lead to addresses of this machine and of private networks.</summary>
    /// <value>false</value>
    public bool AllowPrivateWebhooks { get; set; }

    /// <summary>Whether <see cref="Database"/> names a PostgreSQL server.</summary>
    public bool IsPostgres => Database.Contains("Host=", StringComparison.OrdinalIgnoreCase);
}
