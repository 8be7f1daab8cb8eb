using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Storage;
using Azure.Storage.Blobs;

namespace Espalier.Artifacts.Blobs;

/// <summary>Signs every request with the shared access signature that the file holds now.</summary>
internal sealed class RenewedSignature(LocationFile file) : HttpPipelineSynchronousPolicy
{
    private const string Appended = "espalier-signature";

    public override void OnSendingRequest(HttpMessage message)
    {
        if (SignatureOf(file.Current) is not { } signature)
            return;
        var query = message.Request.Uri.Query.TrimStart('?');
        // A request that is tried again carries the signature of the last time.
        if (message.TryGetProperty(Appended, out var before) && before is string last && query.EndsWith(last, StringComparison.Ordinal))
            query = query[..^last.Length].TrimEnd('&');
        message.Request.Uri.Query = query.Length == 0 ? $"?{signature}" : $"?{query}&{signature}";
        message.SetProperty(Appended, signature);
    }

    private static string? SignatureOf(string location) =>
        AzureLocation.TryParse(location, "any", out var place) && place.Sas is { } sas ? sas.ToString() : null;
}

/// <summary>Signs every request with the account key that the file holds now.</summary>
internal sealed class RenewedKey(LocationFile file, StorageSharedKeyCredential credential) : HttpPipelineSynchronousPolicy
{
    private string _known = file.Current;

    public override void OnSendingRequest(HttpMessage message)
    {
        var location = file.Current;
        if (location == _known)
            return;
        if (AzureLocation.KeyOf(location) is { } key)
            credential.SetAccountKey(key);
        _known = location;
    }
}

/// <summary>The parts of a location in Azure Storage.</summary>
internal static class AzureLocation
{
    /// <summary>The container of a URL or a connection string, with its signature; false when it is neither.</summary>
    public static bool TryParse(string location, string container, out BlobUriBuilder place)
    {
        try
        {
            place = new BlobUriBuilder(IsUrl(location, out var url) ? url : new BlobContainerClient(location, container).Uri);
        }
        catch (Exception e) when (e is FormatException or ArgumentException or InvalidOperationException)
        {
            place = null!;
            return false;
        }
        if (place.BlobContainerName is not { Length: > 0 })
            place.BlobContainerName = container;
        return true;
    }

    /// <summary>Whether a location is a URL and no connection string.</summary>
    public static bool IsUrl(string location, out Uri url) =>
        Uri.TryCreate(location, UriKind.Absolute, out url!) && url.Scheme is ("http" or "https");

    /// <summary>The account of a connection string with a key; null for others.</summary>
    public static string? AccountOf(string location) => PartOf(location, "AccountName");

    /// <summary>The key of a connection string; null for others.</summary>
    public static string? KeyOf(string location) => PartOf(location, "AccountKey");

    private static string? PartOf(string location, string name) => location.Split(';', StringSplitOptions.TrimEntries)
        .FirstOrDefault(p => p.StartsWith($"{name}=", StringComparison.OrdinalIgnoreCase))?[(name.Length + 1)..];
}
