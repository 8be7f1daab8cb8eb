using System.Security.Cryptography;
using Microsoft.AspNetCore.StaticFiles;

namespace Espalier.Registry.Api;

/// <summary>
/// The built portal, a few hundred kilobytes, in memory: every file with its gzip and brotli forms, which the build wrote beside it.
/// Only what was there at the start is served, by exact path, so no path can lead anywhere else.
/// </summary>
internal sealed class PortalFiles
{
    private const string Page = "index.html", HashedFolder = "assets/";
    private const int YearSeconds = 31_536_000;
    private static readonly (string Extension, string Encoding)[] Compressed = [(".br", "br"), (".gz", "gzip")];
    private readonly Dictionary<string, PortalFile> _files = new(StringComparer.Ordinal);

    public PortalFiles(ILogger<PortalFiles> logger) : this(Path.Combine(AppContext.BaseDirectory, "portal"), logger)
    {
    }

    internal PortalFiles(string folder, ILogger logger)
    {
        if (!Directory.Exists(folder))
        {
            PortalLog.NotBuilt(logger, folder);
            return;
        }
        var types = new FileExtensionContentTypeProvider();
        var plain = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Where(p => !Compressed.Any(c => p.EndsWith(c.Extension, StringComparison.Ordinal)));
        foreach (var path in plain)
        {
            var bytes = File.ReadAllBytes(path);
            var name = Path.GetRelativePath(folder, path).Replace('\\', '/');
            _files[name] = new PortalFile(
                types.TryGetContentType(name, out var type) ? WithCharset(type) : "application/octet-stream",
                $"\"{Convert.ToHexStringLower(SHA256.HashData(bytes)[..16])}\"", bytes,
                Compressed.Where(c => File.Exists(path + c.Extension)).ToDictionary(c => c.Encoding, c => File.ReadAllBytes(path + c.Extension)));
        }
    }

    /// <summary>Answers with a file of the portal, or with its page for every other address: the page routes those itself.</summary>
    public async Task ServeAsync(HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        var path = request.Path.Value!.TrimStart('/');
        if (!HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method))
        {
            await TypedResults.Problem($"There is nothing to {request.Method} at /{path}.", statusCode: StatusCodes.Status405MethodNotAllowed)
                .ExecuteAsync(context).ConfigureAwait(false);
            return;
        }
        if (!_files.TryGetValue(path, out var file) && (IsApiOrFile(path) || !_files.TryGetValue(Page, out file)))
        {
            var reason = IsApiOrFile(path)
                ? $"There is nothing at /{path}."
                : "The portal is not part of this build: ./espalier builds it where Node.js is installed.";
            await TypedResults.Problem(reason, statusCode: StatusCodes.Status404NotFound)
                .ExecuteAsync(context).ConfigureAwait(false);
            return;
        }
        var isHashed = path.StartsWith(HashedFolder, StringComparison.Ordinal);
        response.Headers.CacheControl = isHashed ? $"public, max-age={YearSeconds}, immutable" : "no-cache";
        response.Headers.Vary = "Accept-Encoding";
        response.Headers.ETag = file.Tag;
        if (request.Headers.IfNoneMatch.ToString().Contains(file.Tag, StringComparison.Ordinal))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }
        var (encoding, bytes) = Choose(file, request.Headers.AcceptEncoding.ToString());
        if (encoding is not null)
            response.Headers.ContentEncoding = encoding;
        response.ContentType = file.Type;
        response.ContentLength = bytes.Length;
        if (HttpMethods.IsGet(request.Method))
            await response.Body.WriteAsync(bytes, context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>Addresses that belong to APIs or to files: an unknown one is an error, not the page.</summary>
    private static bool IsApiOrFile(string path) =>
        path.StartsWith("api/", StringComparison.Ordinal)
        || path.StartsWith("openapi/", StringComparison.Ordinal)
        || path.StartsWith(HashedFolder, StringComparison.Ordinal);

    private static (string? Encoding, byte[] Bytes) Choose(PortalFile file, string accepted)
    {
        var offers = accepted.Split(',', StringSplitOptions.TrimEntries)
            .Where(o => !o.EndsWith(";q=0", StringComparison.Ordinal))
            .Select(o => o.Split(';')[0])
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        foreach (var (_, encoding) in Compressed)
        {
            if (offers.Contains(encoding) && file.Encodings.TryGetValue(encoding, out var bytes))
                return (encoding, bytes);
        }
        return (null, file.Bytes);
    }

    private static string WithCharset(string type) => type.StartsWith("text/", StringComparison.Ordinal) ? type + "; charset=utf-8" : type;

    private sealed record PortalFile(string Type, string Tag, byte[] Bytes, IReadOnlyDictionary<string, byte[]> Encodings);
}
