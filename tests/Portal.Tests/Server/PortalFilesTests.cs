using System.Net;
using Espalier.Registry.Api;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace Espalier.Portal.Tests.Server;

/// <summary>How the portal's files are served.</summary>
public sealed class PortalFilesTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("portal-files-");
    private readonly string _portal;

    public PortalFilesTests()
    {
        _portal = Path.Combine(_folder.FullName, "portal");
        Directory.CreateDirectory(Path.Combine(_portal, "assets"));
        File.WriteAllText(Path.Combine(_folder.FullName, "secret.txt"), "classified");
        File.WriteAllText(Path.Combine(_portal, "index.html"), "<!doctype html>page");
        File.WriteAllText(Path.Combine(_portal, "assets", "a-1234.js"), "plain");
        File.WriteAllText(Path.Combine(_portal, "assets", "a-1234.js.gz"), "zipped");
        File.WriteAllText(Path.Combine(_portal, "assets", "a-1234.js.br"), "brotli");
    }

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("", null, "plain")]
    [InlineData("gzip", "gzip", "zipped")]
    [InlineData("gzip, deflate, br;q=0.9", "br", "brotli")]
    [InlineData("br;q=0, gzip", "gzip", "zipped")]
    public async Task Serve_HashedFile_IsCompressedAsTheBrowserLikesAndKeptForEver(string accepts, string? encoding, string body)
    {
        var (response, text) = await ServeAsync("/assets/a-1234.js", ("Accept-Encoding", accepts));

        text.ShouldBe(body);
        response.Headers.ContentEncoding.ToString().ShouldBe(encoding ?? "");
        response.Headers.CacheControl.ToString().ShouldBe("public, max-age=31536000, immutable");
        response.Headers.Vary.ToString().ShouldBe("Accept-Encoding");
        response.ContentType.ShouldBe("text/javascript; charset=utf-8");
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/runs/1")]
    [InlineData("/models/name.with.dots/3")]
    public async Task Serve_AnyPage_IsTheOnePageAndAskedForAgain(string path)
    {
        var (response, text) = await ServeAsync(path);

        text.ShouldBe("<!doctype html>page");
        response.Headers.CacheControl.ToString().ShouldBe("no-cache");
        (await ServeAsync(path, ("If-None-Match", response.Headers.ETag.ToString()))).Response.StatusCode.ShouldBe(304);
    }

    [Theory]
    [InlineData("/assets/../../secret.txt")]
    [InlineData("/assets/..\\..\\secret.txt")]
    [InlineData("/assets/missing.js")]
    [InlineData("/assets/a-1234.js.map")]
    [InlineData("/api/v1/nothing")]
    public async Task Serve_WhatIsNotThere_IsNotFound(string path)
    {
        var (response, text) = await ServeAsync(path);

        response.StatusCode.ShouldBe((int)HttpStatusCode.NotFound);
        text.ShouldNotContain("classified");
    }

    [Fact]
    public async Task Serve_NotBuilt_SaysHow()
    {
        var (response, text) = await ServeAsync("/", new PortalFiles(Path.Combine(_folder.FullName, "none"), NullLogger.Instance));

        response.StatusCode.ShouldBe((int)HttpStatusCode.NotFound);
        text.ShouldContain("./espalier");
    }

    private Task<(HttpResponse Response, string Text)> ServeAsync(string path, params (string Name, string Value)[] headers) =>
        ServeAsync(path, new PortalFiles(_portal, NullLogger.Instance), headers);

    private static async Task<(HttpResponse Response, string Text)> ServeAsync(string path, PortalFiles files, params (string Name, string Value)[] headers)
    {
        var context = new DefaultHttpContext { RequestServices = Services.Problems };
        context.Request.Method = "GET";
        context.Request.Path = path;
        foreach (var (name, value) in headers)
            context.Request.Headers[name] = value;
        var body = new MemoryStream();
        context.Response.Body = body;
        await files.ServeAsync(context);
        return (context.Response, System.Text.Encoding.UTF8.GetString(body.ToArray()));
    }
}
