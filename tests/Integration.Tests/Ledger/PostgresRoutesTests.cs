using System.Net.Http.Headers;
using Espalier.Hosting;
using Espalier.Integration.Tests.Distributed;
using Espalier.Orchestrator;
using Espalier.Orchestrator.Api;
using Espalier.Stages;
using Espalier.Stages.Worker;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Embedded;
using Espalier.TestKit.Services.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Espalier.Integration.Tests.Ledger;

/// <summary>The orchestrator's routes on PostgreSQL, which refuses texts that SQLite takes.</summary>
[Collection(ServersCollection.Name)]
public sealed class PostgresRoutesTests(BrokerAndDatabase servers)
{
    private const string Key = "esp_0123456789abcdef0123456789abcdef";
    private const string Yaml = "name: http\nparams: { text: x }\nstages:\n  a: { uses: noop, with: { text: \"${text}\" } }\n";

    [Fact]
    public async Task Routes_AnyText_NeverAnswer500()
    {
        var folder = Directory.CreateTempSubdirectory("routes-");
        string[] args =
        [
            "--orchestrator:provider=postgre-sql", $"--orchestrator:connection={await servers.Database.NewDatabaseAsync()}",
            $"--store:location=file:{Path.Combine(folder.FullName, "store")}", $"--orchestrator-api:key={Key}",
        ];
        await using var app = ServiceHost.Build("orchestrator", args, builder =>
        {
            builder.Services.AddSingleton<NoopHooks>().AddSingleton<IStage, NoopStage>().AddSingleton<INumericsClass, Numerics>();
            builder.AddOrchestratorService();
            builder.Services.AddStageWorker(new StageWorkerOptions { CacheFolder = folder.FullName, PollInterval = TimeSpan.FromSeconds(1) });
            builder.Logging.ClearProviders();
        }, routes => routes.MapRunsApi());
        await app.StartAsync();
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);

        await RouteFuzz.RunAsync(app, client, Yaml, iterations: 300);

        await app.StopAsync();
        folder.Delete(recursive: true);
    }

    private sealed class Numerics : INumericsClass
    {
        public string Value => "test";
    }
}
