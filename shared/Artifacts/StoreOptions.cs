namespace Espalier.Artifacts;

/// <summary>Where artifacts are kept, bound from the configuration section <see cref="Section"/>.</summary>
public sealed class StoreOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "store";

    /// <summary>
    /// <c>file:PATH</c>; or a connection string of Azure Blob Storage; or a SAS URL of a container or account; or an https URL
    /// without a signature, which is opened with the identity of the process (a managed identity on Azure).
    /// </summary>
    /// <value>file:.espalier/store</value>
    public string Location { get; set; } = "file:.espalier/store";

    /// <summary>
    /// A file that holds the location instead, such as a mounted secret. A signature or an account key that is renewed in it is used within
    /// seconds, without starting any service again.
    /// </summary>
    /// <value>empty</value>
    public string LocationFile { get; set; } = "";

    /// <summary>Azure container: 3 to 63 lower-case letters, digits and single dashes.</summary>
    /// <value>espalier</value>
    public string Container { get; set; } = "espalier";

    /// <summary>Folder for local copies of remote blobs; empty switches them off.</summary>
    /// <value>empty</value>
    public string CacheFolder { get; set; } = "";

    /// <summary>Bytes that local copies may take.</summary>
    /// <value>20 GB (decimal)</value>
    public long CacheBytes { get; set; } = 20_000_000_000;
}
