using System.Net;
using System.Net.Http.Headers;

namespace Espalier.Portal.Tests.Server;

/// <summary>The newest crash matrix, where the settings name its file.</summary>
public sealed class CrashMatrixTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public async Task Get_NamedFile_IsWhatItHoldsNow()
    {
        await using var host = await PortalHost.StartAsync(configure: options => options.CrashMatrix = _file);
        using var client = Authorized(host);
        foreach (var text in new[] { """{"seed":1,"points":[]}""", """{"seed":2,"points":[]}""" })
        {
            await File.WriteAllTextAsync(_file, text);

            (await client.GetStringAsync("/api/v1/crash-matrix")).ShouldBe(text);
        }
    }

    [Fact]
    public async Task Get_NoFileOrNoAdministratorsKey_IsRefused()
    {
        await using var host = await PortalHost.StartAsync(configure: options => options.CrashMatrix = _file + ".missing");
        using var client = Authorized(host);
        using var stranger = host.Client();
        using var viewer = Authorized(host, PortalHost.ViewerKey);

        (await client.GetAsync("/api/v1/crash-matrix")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await stranger.GetAsync("/api/v1/crash-matrix")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await viewer.GetAsync("/api/v1/crash-matrix")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
    }

    private static HttpClient Authorized(PortalHost host, string key = PortalHost.AdminKey)
    {
        var client = host.Client();
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return client;
    }
}
