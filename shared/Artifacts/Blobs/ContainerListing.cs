using System.Runtime.CompilerServices;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;

namespace Espalier.Artifacts.Blobs;

/// <summary>What others put into a container of Azure Blob Storage, in the order of the names. Nothing is read of the blobs, made or changed.</summary>
public sealed class ContainerListing
{
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(10);
    private readonly BlobContainerClient _container;

    private ContainerListing(BlobContainerClient container) => _container = container;

    /// <summary>Opens a container, which has to exist, as <see cref="AzureBlobStore.Open(string, string)"/> does.</summary>
    /// <param name="connection">Connection string or URL.</param>
    /// <param name="containerName">Name of the container, unless the URL names one.</param>
    public static ContainerListing Open(string connection, string containerName)
    {
        var options = new BlobClientOptions();
        (options.Retry.MaxRetries, options.Retry.NetworkTimeout) = (1, AnswerLimit); // whoever lists again and again needs no long retries
        return new ContainerListing(AzureBlobStore.ContainerOf(connection, containerName, options, out _));
    }

    /// <summary>Address of a blob, without a signature.</summary>
    public string AddressOf(string name) => new UriBuilder(_container.GetBlobClient(name).Uri) { Query = "" }.Uri.AbsoluteUri;

    /// <summary>Every blob whose name begins with a prefix, page after page.</summary>
    /// <exception cref="Azure.RequestFailedException">The service refuses, or does not answer.</exception>
    /// <exception cref="TimeoutException">It took too long.</exception>
    public async IAsyncEnumerable<ListedBlob> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var blobs = _container.GetBlobsAsync(BlobTraits.None, BlobStates.None, prefix, cancellationToken: cancellationToken)
            .GetAsyncEnumerator(cancellationToken);
        while (await MoveAsync(blobs, cancellationToken).ConfigureAwait(false))
        {
            var properties = blobs.Current.Properties;
            yield return new ListedBlob(
                blobs.Current.Name, properties.ContentLength ?? 0, properties.LastModified ?? DateTimeOffset.UnixEpoch,
                properties.ETag?.ToString().Trim('"') ?? "");
        }
    }

    private static async Task<bool> MoveAsync(IAsyncEnumerator<BlobItem> blobs, CancellationToken cancellationToken)
    {
        try
        {
            return await blobs.MoveNextAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested
            && (e as AggregateException)?.InnerException is OperationCanceledException or OperationCanceledException)
        {
            throw new TimeoutException($"No answer within {AnswerLimit.TotalSeconds:0} s", e);
        }
    }
}

/// <summary>A blob as its container lists it.</summary>
/// <param name="Name">Its name in the container.</param>
/// <param name="SizeBytes">Its length.</param>
/// <param name="Modified">When it was last written.</param>
/// <param name="ETag">Which writing it is: another after each.</param>
public sealed record ListedBlob(string Name, long SizeBytes, DateTimeOffset Modified, string ETag);
