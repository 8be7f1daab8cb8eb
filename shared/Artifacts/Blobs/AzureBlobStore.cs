using System.Runtime.CompilerServices;
using Azure;
using Azure.Core;
using Azure.Storage;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Espalier.Contracts;

namespace Espalier.Artifacts.Blobs;

/// <summary>
/// Blobs and records in one container of Azure Blob Storage: <c>blobs/ab/cdef...</c> and <c>records/folder/name</c>. Each blob is
/// compared with its digest the first time that it is read here; a damaged one goes to <c>damaged/</c>.
/// </summary>
public sealed class AzureBlobStore : ICollectableBlobStore
{
    private static readonly TimeSpan IdentityLimit = TimeSpan.FromSeconds(30);
    private readonly BlobContainerClient _container;
    private readonly AzureNames _names;
    private readonly AzureReads _reads;
    private readonly AzureUploads _uploads;

    /// <param name="container">The container, which exists.</param>
    public AzureBlobStore(BlobContainerClient container)
    {
        _container = container;
        _names = new AzureNames(container);
        _reads = new AzureReads(_names);
        _uploads = new AzureUploads(_names, _reads);
    }

    /// <summary>The container.</summary>
    public Uri Location => _names.Location;

    /// <summary>
    /// Opens a container by connection string (made when missing), by a SAS URL of a container or an account, or by a URL
    /// without a signature, which is opened with the <see cref="ProcessIdentity"/>.
    /// </summary>
    /// <param name="connection">Connection string or URL.</param>
    /// <param name="containerName">Name of the container, unless the URL names one.</param>
    public static AzureBlobStore Open(string connection, string containerName) => Open(connection, containerName, new BlobClientOptions());

    /// <summary>As <see cref="Open(string, string)"/>, with a signature or a key that is read again whenever somebody renews it in the file.</summary>
    internal static AzureBlobStore Open(LocationFile file, string containerName)
    {
        var (location, options) = (file.Current, new BlobClientOptions());
        var isUrl = AzureLocation.IsUrl(location, out _);
        if (!AzureLocation.TryParse(location, containerName, out var place))
            return Open(location, containerName); // which says what is wrong with it
        var hasSignature = place.Sas is not null;
        place.Sas = null;
        BlobContainerClient container;
        if (hasSignature)
        {
            options.AddPolicy(new RenewedSignature(file), HttpPipelinePosition.PerRetry);
            container = new BlobContainerClient(place.ToUri(), options);
        }
        else if (!isUrl && AzureLocation.AccountOf(location) is { } account && AzureLocation.KeyOf(location) is { } key)
        {
            var credential = new StorageSharedKeyCredential(account, key);
            options.AddPolicy(new RenewedKey(file, credential), HttpPipelinePosition.PerCall); // before the request is signed
            container = new BlobContainerClient(place.ToUri(), credential, options);
            container.CreateIfNotExists();
        }
        else
        {
            return Open(location, containerName); // an identity renews itself
        }
        return new AzureBlobStore(container);
    }

    internal static AzureBlobStore Open(string connection, string containerName, BlobClientOptions options)
    {
        var container = ContainerOf(connection, containerName, options, out var isUrl);
        if (!isUrl)
            container.CreateIfNotExists();
        return new AzureBlobStore(container);
    }

    /// <summary>The container that a connection string or a URL names, with the key, the signature or the identity that goes with it.</summary>
    internal static BlobContainerClient ContainerOf(string connection, string containerName, BlobClientOptions options, out bool isUrl)
    {
        isUrl = AzureLocation.IsUrl(connection, out var url);
        if (!isUrl)
            return new BlobContainerClient(connection, containerName, options);
        var place = new BlobUriBuilder(url);
        if (place.BlobContainerName is not { Length: > 0 })
            place.BlobContainerName = containerName;
        return place.Sas is null
            ? new BlobContainerClient(place.ToUri(), new ProcessIdentity(url!, IdentityLimit), options)
            : new BlobContainerClient(place.ToUri(), options);
    }

    /// <inheritdoc/>
    public async Task<bool> ExistsAsync(Digest blob, CancellationToken cancellationToken) =>
        await _names.Blob(blob).ExistsAsync(cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public Task<long?> FindLengthAsync(Digest blob, CancellationToken cancellationToken) => _reads.FindLengthAsync(blob, cancellationToken);

    /// <inheritdoc/>
    public Task<BlobReceipt> PutAsync(Stream content, CancellationToken cancellationToken) => _uploads.PutAsync(content, cancellationToken);

    /// <inheritdoc/>
    public Task<BlobReceipt> PutAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken) => _uploads.PutAsync(content, cancellationToken);

    /// <inheritdoc/>
    public Task<Stream> OpenReadAsync(Digest blob, long offset, long? length, CancellationToken cancellationToken) =>
        _reads.OpenAsync(blob, offset, length, cancellationToken);

    /// <inheritdoc/>
    public void ReadExactly(Digest blob, long offset, Span<byte> destination) => _reads.ReadExactly(blob, offset, destination);

    /// <inheritdoc/>
    public Task VerifyAsync(Digest blob, Action<long>? advance, CancellationToken cancellationToken) =>
        Task.Run(() => _reads.Check(blob, advance, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<BlobReceipt> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var blob in ListAgedAsync(cancellationToken).ConfigureAwait(false))
            yield return new BlobReceipt(blob.Digest, blob.SizeBytes, IsNew: false);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<AgedBlob> ListAgedAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var item in ListAsync(AzureNames.Blobs, cancellationToken).ConfigureAwait(false))
            if (AzureNames.TryParse(item.Name, out var digest))
                yield return new AgedBlob(digest, item.Properties.ContentLength ?? 0, item.Properties.LastModified ?? DateTimeOffset.MaxValue);
    }

    /// <inheritdoc/>
    public Task<bool> TouchAsync(Digest blob, CancellationToken cancellationToken) => _uploads.TouchAsync(blob, cancellationToken);

    /// <inheritdoc/>
    public async Task<bool> DeleteAsync(Digest blob, DateTimeOffset unusedSince, CancellationToken cancellationToken)
    {
        try
        {
            // The service compares and deletes in one step.
            var conditions = new BlobRequestConditions { IfUnmodifiedSince = unusedSince };
            var isDeleted = await _names.Blob(blob)
                .DeleteIfExistsAsync(DeleteSnapshotsOption.IncludeSnapshots, conditions, cancellationToken).ConfigureAwait(false);
            _reads.Checked.Forget(blob);
            return isDeleted;
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.ConditionNotMet)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public Task<bool> CreateRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        AzureUploads.CreateAsync(_names.Record(name), content, cancellationToken);

    /// <inheritdoc/>
    public async Task WriteRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        await _names.Record(name).UploadAsync(BinaryData.FromBytes(content).ToStream(), new BlobUploadOptions(), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async Task<byte[]?> ReadRecordAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            var response = await _names.Record(name).DownloadContentAsync(cancellationToken).ConfigureAwait(false);
            return response.Value.Content.ToArray();
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.BlobNotFound)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async Task DeleteRecordAsync(string name, CancellationToken cancellationToken) =>
        await _names.Record(name).DeleteIfExistsAsync(cancellationToken: cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async IAsyncEnumerable<string> ListRecordsAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var item in ListAsync(AzureNames.Records + prefix, cancellationToken).ConfigureAwait(false))
            yield return item.Name[AzureNames.Records.Length..];
    }

    private AsyncPageable<BlobItem> ListAsync(string prefix, CancellationToken cancellationToken) =>
        _container.GetBlobsAsync(BlobTraits.None, BlobStates.None, prefix, cancellationToken: cancellationToken);
}
