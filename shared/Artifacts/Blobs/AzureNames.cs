using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Specialized;
using Espalier.Contracts;

namespace Espalier.Artifacts.Blobs;

/// <summary>What things are called in a container: <c>blobs/ab/cdef...</c>, <c>records/folder/name</c>, and <c>damaged/abcdef...</c>.</summary>
internal sealed class AzureNames(BlobContainerClient container)
{
    public const string Blobs = "blobs/", Records = "records/", Damaged = "damaged/";

    /// <summary>The container without a query, which could carry a signature.</summary>
    public Uri Location => new UriBuilder(container.Uri) { Query = "" }.Uri;

    public BlockBlobClient Blob(Digest blob) => container.GetBlockBlobClient($"{Blobs}{blob.Hex[..2]}/{blob.Hex[2..]}");

    public BlockBlobClient Record(string name) => container.GetBlockBlobClient(Records + RecordName.Check(name));

    public BlockBlobClient Aside(Digest blob) => container.GetBlockBlobClient(Damaged + blob.Hex);

    /// <summary>The digest that a blob's name spells.</summary>
    public static bool TryParse(string name, out Digest digest) =>
        Digest.TryParse(name[Blobs.Length..].Replace("/", "", StringComparison.Ordinal), out digest);
}
