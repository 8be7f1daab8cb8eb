using System.Net.Http.Headers;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Hosting.Authentication;
using Espalier.Registry;
using Espalier.Registry.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Espalier.TestKit.Services.Registry;

/// <summary>
/// The registry as its process runs it, with its own port, database and store. Only its keys are a fixed list instead of
/// the orchestrator's.
/// </summary>
public sealed class RegistryServer : IAsyncDisposable
{
    public const string Viewer = "key-of-a-viewer", Submitter = "key-of-a-submitter", Promoter = "key-of-a-promoter", Admin = "key-of-an-admin";
    private readonly WebApplication _app;
    private readonly DirectoryInfo _folder;

    private RegistryServer(WebApplication app, DirectoryInfo folder) => (_app, _folder) = (app, folder);

    public Uri Address { get; private set; } = null!;

    public ArtifactStore Store => _app.Services.GetRequiredService<ArtifactStore>();

    public ModelRegistry Registry => _app.Services.GetRequiredService<ModelRegistry>();

    public T Get<T>() where T : notnull => _app.Services.GetRequiredService<T>();

    public static async Task<RegistryServer> StartAsync(
        Action<RegistryOptions>? configure = null, TimeProvider? time = null, Action<IServiceCollection>? services = null)
    {
        var folder = Directory.CreateTempSubdirectory("espalier-registry");
        var options = new RegistryOptions { Database = $"Data Source={Path.Combine(folder.FullName, "registry.db")}", AllowPrivateWebhooks = true };
        configure?.Invoke(options);
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        if (time is not null)
            builder.Services.AddSingleton(time);
        builder.Services.AddRegistry(options).AddModelsApi().AddPortal().AddSingleton<ApiKeyThrottle>()
            .AddSingleton<IApiKeys>(new ListedKeys())
            .AddSingleton(
                new ArtifactStore(
                    new FileBlobStore(
                        Path.Combine(folder.FullName, "store"), new FileBlobStoreOptions { IsDurable = false, Time = time ?? TimeProvider.System })));
        services?.Invoke(builder.Services);
        var app = builder.Build();
        app.MapPortal();
        app.MapModelsApi();
        await app.StartAsync();
        return new RegistryServer(app, folder)
        {
            Address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()),
        };
    }

    /// <summary>A client with a key, or without one for null.</summary>
    public HttpClient Client(string? key = Admin)
    {
        var client = new HttpClient { BaseAddress = Address };
        if (key is not null)
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return client;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }

    private sealed class ListedKeys : IApiKeys
    {
        private static readonly Dictionary<string, ApiCaller> Known = new()
        {
            [Viewer] = new("vera", ApiRole.Viewer),
            [Submitter] = new("sam", ApiRole.Submitter),
            [Promoter] = new("paula", ApiRole.Promoter),
            [Admin] = new("ada", ApiRole.Admin),
        };

        public Task<ApiRole?> FindRoleAsync(string key, CancellationToken cancellationToken) => Task.FromResult(Known.GetValueOrDefault(key)?.Role);

        public Task<ApiCaller?> FindCallerAsync(string key, CancellationToken cancellationToken) => Task.FromResult(Known.GetValueOrDefault(key));
    }
}
