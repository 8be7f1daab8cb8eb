using System.Data.Common;
using System.Text.Json;
using Dapper;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Registry.Tests.Support;

/// <summary>A server over 5,000 generated versions of 50 models, which records the statements behind its answers.</summary>
public sealed class SeededRegistry : IAsyncDisposable
{
    private readonly RegistryServer _server;
    private readonly HttpClient _http;

    private SeededRegistry(RegistryServer server) => (_server, _http) = (server, server.Client());

    public RegistryDatabase Database => _server.Get<RegistryDatabase>();

    public static async Task<SeededRegistry> StartAsync(string? postgres = null)
    {
        var server = await RegistryServer.StartAsync(options => options.Database = postgres ?? options.Database);
        await using var connection = await server.Get<RegistryDatabase>().OpenAsync(default);
        await RegistrySeed.WriteAsync(connection, models: 50, versionsEach: 100);
        if (postgres is not null)
            await connection.ExecuteAsync("vacuum analyze");
        return new SeededRegistry(server);
    }

    /// <summary>Asks for a page and, where there is one, the page after it, while every connection is observed.</summary>
    public async Task AskAsync(string path, Action<DbConnection> look, Action<DbConnection> after)
    {
        Database.Opened = look;
        try
        {
            var first = await _http.GetJsonAsync(path);
            foreach (var (name, cursor) in new[] { ("next", "cursor"), ("next_page_token", "page_token") })
            {
                if (first.TryGetProperty(name, out var next) && next.ValueKind == JsonValueKind.String)
                    await _http.GetJsonAsync($"{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}{cursor}={next.GetString()}");
            }
        }
        finally
        {
            Database.Opened = after;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
    }
}
