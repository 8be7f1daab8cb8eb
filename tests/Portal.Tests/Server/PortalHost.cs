using System.Net;
using Espalier.Hosting.Authentication;
using Espalier.Registry.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Espalier.Portal.Tests.Server;

/// <summary>The portal's server alone, with keys that the test knows and an orchestrator that the test writes.</summary>
internal sealed class PortalHost : IAsyncDisposable
{
    public const string ViewerKey = "esp_viewer", AdminKey = "esp_admin";
    private readonly WebApplication _app;
    private readonly WebApplication? _orchestrator;

    private PortalHost(WebApplication app, WebApplication? orchestrator) => (_app, _orchestrator) = (app, orchestrator);

    public Uri Address => new(_app.Urls.Single());

    public static async Task<PortalHost> StartAsync(Action<WebApplication>? orchestrator = null, Action<PortalOptions>? configure = null)
    {
        WebApplication? behind = null;
        if (orchestrator is not null)
        {
            behind = NewBuilder().Build();
            orchestrator(behind);
            await behind.StartAsync();
        }
        var builder = NewBuilder();
        if (behind is not null)
            builder.Configuration["portal:orchestrator"] = behind.Urls.Single();
        builder.Services.AddPortal().AddSingleton<IApiKeys>(new KnownKeys()).AddSingleton(TimeProvider.System);
        if (configure is not null)
        {
            var options = new PortalOptions { Orchestrator = behind?.Urls.Single() ?? "" };
            configure(options);
            builder.Services.AddSingleton(options);
        }
        var app = builder.Build();
        app.MapPortal();
        await app.StartAsync();
        return new PortalHost(app, behind);
    }

    /// <summary>A client that keeps its cookies in the given place and follows no redirect.</summary>
    public HttpClient Client(CookieContainer? cookies = null)
    {
        var handler = new HttpClientHandler { CookieContainer = cookies ?? new CookieContainer(), AllowAutoRedirect = false };
        var client = new HttpClient(handler) { BaseAddress = Address };
        return client;
    }

    /// <summary>A request as the portal's own script sends it.</summary>
    public HttpRequestMessage Own(HttpMethod method, string path, HttpContent? content = null) =>
        new(method, path) { Content = content, Headers = { { "X-Espalier-Request", "1" }, { "Origin", Address.GetLeftPart(UriPartial.Authority) } } };

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        if (_orchestrator is not null)
            await _orchestrator.DisposeAsync();
    }

    private static WebApplicationBuilder NewBuilder()
    {
        var builder = WebApplication.CreateBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        return builder;
    }

    private sealed class KnownKeys : IApiKeys
    {
        public Task<ApiRole?> FindRoleAsync(string key, CancellationToken cancellationToken) =>
            Task.FromResult<ApiRole?>(key switch { ViewerKey => ApiRole.Viewer, AdminKey => ApiRole.Admin, _ => null });
    }
}
