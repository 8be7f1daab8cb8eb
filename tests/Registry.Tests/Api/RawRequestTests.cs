using System.Net.Sockets;
using System.Text;
using Espalier.Registry.Tests.Support;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Registry.Tests.Api;

/// <summary>Requests that no client library would send, written to the socket byte by byte.</summary>
public sealed class RawRequestTests : IAsyncLifetime
{
    private const string Version = "/api/v1/models/demo/versions/1";
    private RegistryServer _server = null!;

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync();
        var checkpoint = await TinyCheckpoints.CreateAsync(_server.Store);
        await _server.RegisterAsync("demo", checkpoint);
    }

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData("../../../../etc/passwd")]
    [InlineData("..%2f..%2f..%2fetc%2fpasswd")]
    [InlineData("%2e%2e/%2e%2e/etc/passwd")]
    [InlineData("..%5c..%5cetc%5cpasswd")]
    [InlineData("%2fetc%2fpasswd")]
    [InlineData("config.json%00.txt")]
    [InlineData("config.json/../config.json/../../secret")]
    [InlineData("....//....//etc/passwd")]
    public async Task PathTraversal_FindsNoFile(string path)
    {
        // Sent as it is: a client library would tidy the path up first.
        var answer = await RawAsync(
            $"GET {Version}/files/{path} HTTP/1.1", "Host: x", $"Authorization: Bearer {RegistryServer.Viewer}", "Connection: close", "", "");

        answer.ShouldNotContain("root:");
        answer.Split(' ')[1].ShouldBeOneOf("404", "400");
    }

    [Theory]
    [InlineData("X-HTTP-Method-Override: DELETE")]
    [InlineData("X-Original-URL: /api/v1/webhooks")]
    [InlineData("X-Rewrite-URL: /api/v1/webhooks")]
    [InlineData("X-Forwarded-Prefix: /api/v1/webhooks")]
    public async Task Headers_ThatRewriteRequests_AreIgnored(string header)
    {
        var answer = await RawAsync(
            $"GET {Version} HTTP/1.1", "Host: x", $"Authorization: Bearer {RegistryServer.Viewer}", header, "Connection: close", "", "");

        answer.ShouldContain("\"model\":\"demo\"");
        (await _server.Registry.FindAsync("demo", 1, default)).ShouldNotBeNull();
    }

    [Theory]
    [InlineData("Authorization: Basic " + "a2V5LW9mLWFuLWFkbWlu")]
    [InlineData("Authorization: Bearer")]
    [InlineData("Authorization: Bearer " + RegistryServer.Admin + " x")]
    [InlineData("Authorization: " + RegistryServer.Admin)]
    [InlineData("Authorization: Bearer wrong\r\nAuthorization: Bearer " + RegistryServer.Admin)]
    [InlineData("X-Api-Key: " + RegistryServer.Admin)]
    [InlineData("Cookie: key=" + RegistryServer.Admin)]
    public async Task Keys_InOtherPlacesOrForms_DoNotCount(string header)
    {
        var answer = await RawAsync($"GET /api/v1/webhooks HTTP/1.1\r\nHost: x\r\n{header}\r\nConnection: close\r\n\r\n");

        answer.Split(' ')[1].ShouldBe("401");
    }

    [Fact]
    public async Task RequestSmuggling_LengthAndChunks_IsRefused()
    {
        var answer = await RawAsync(
            "PATCH /api/v1/models/demo HTTP/1.1", "Host: x", $"Authorization: Bearer {RegistryServer.Admin}", "Content-Type: application/json",
            "Content-Length: 4", "Transfer-Encoding: chunked", "Connection: close", "",
            "12", "{\"description\":\"x\"}", "0", "",
            "GET /api/v1/webhooks HTTP/1.1", "Host: x", "", "");

        answer.ShouldNotContain("\"items\"");
    }

    [Theory]
    [InlineData("X-Espalier-Request: 1\r\nOrigin: https://evil.example")]
    [InlineData("Origin: http://HOST")]
    [InlineData("X-Espalier-Request: 1")]
    [InlineData("")]
    public async Task Csrf_CookieWithoutHeaderOrWithForeignOrigin_Is403(string headers)
    {
        var host = _server.Address.Authority;
        var key = $"{{\"key\":\"{RegistryServer.Admin}\"}}";
        var signIn = await RawAsync(
            "POST /api/v1/session HTTP/1.1", $"Host: {host}", $"Origin: http://{host}", "X-Espalier-Request: 1",
            "Content-Type: application/json", $"Content-Length: {key.Length}", "Connection: close", "", key);
        var cookie = signIn.Split("Set-Cookie: ")[1].Split(';')[0];
        var extra = headers.Length == 0 ? "" : headers.Replace("HOST", host, StringComparison.Ordinal) + "\r\n";

        var answer = await RawAsync(
            "PUT /api/v1/models/demo/aliases/champion?version=1 HTTP/1.1", $"Host: {host}", $"Cookie: {cookie}",
            $"{extra}Content-Length: 0", "Connection: close", "", "");

        answer.Split(' ')[1].ShouldBe("403");
        (await _server.Registry.MovesAsync("demo", default)).ShouldBeEmpty();
    }

    /// <summary>Sends lines as they are and reads the whole answer.</summary>
    private async Task<string> RawAsync(params string[] lines)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(_server.Address.Host, _server.Address.Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(string.Join("\r\n", lines)));
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return await reader.ReadToEndAsync();
    }
}
