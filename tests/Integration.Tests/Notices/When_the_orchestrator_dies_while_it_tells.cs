using System.Collections.Concurrent;
using System.Diagnostics;
using Dapper;
using Espalier.Integration.Tests.Distributed;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Distributed;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Espalier.Integration.Tests.Notices;

/// <summary>The orchestrator is killed when the receiver has a notice and before it is written down that it has.</summary>
[Collection(ServersCollection.Name)]
public sealed class When_the_orchestrator_dies_while_it_tells(BrokerAndDatabase servers)
{
    private const string Pipeline = "name: tells\nnotify: { succeeded: ops }\nstages: { a: { uses: noop, with: { text: told } } }\n";
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task The_receiver_is_told_again_under_the_same_id()
    {
        await using var platform = await DistributedPlatform.StartAsync(servers);
        var told = new ConcurrentQueue<(string Delivery, string Body)>();
        await using var receiver = await ReceiveAsync(async request =>
        {
            using var reader = new StreamReader(request.Body);
            told.Enqueue((request.Headers["X-Espalier-Delivery"].ToString(), await reader.ReadToEndAsync()));
            if (told.Count == 1)
                await platform.Orchestrator.KillAsync();
        });
        platform.Environment["ESPALIER__NOTIFY__OPS__URL"] = receiver.Urls.Single();
        await platform.Orchestrator.KillAsync();
        await platform.StartOrchestratorAsync();
        await platform.StartWorkerAsync();
        await platform.StagesAsync("noop");

        await platform.SubmitAsync(Pipeline);
        await UntilAsync(() => Task.FromResult(told.Count), 1, platform);
        (await NoticeAsync(platform)).ShouldBe(("waiting", 1), "nobody could write that it was sent");
        // What a process has claimed is another's when five minutes are over.
        await ExecuteAsync(platform, "update notice set next_at = 0");
        await platform.StartOrchestratorAsync();
        await UntilAsync(() => Task.FromResult(told.Count), 2, platform);
        await UntilAsync(async () => (await NoticeAsync(platform)).State, "sent", platform);

        (await NoticeAsync(platform)).Attempts.ShouldBe(2);
        told.Count.ShouldBe(2);
        told.Distinct().ShouldHaveSingleItem("the same notice, under the same id").Delivery.ShouldStartWith("notice-");
    }

    private static async Task<WebApplication> ReceiveAsync(Func<HttpRequest, Task> receive)
    {
        var builder = WebApplication.CreateBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Run(context => receive(context.Request));
        await app.StartAsync();
        return app;
    }

    private static async Task UntilAsync<T>(Func<Task<T>> find, T expected, DistributedPlatform platform)
    {
        for (var clock = Stopwatch.StartNew(); !Equals(await find(), expected); await Task.Delay(50))
            clock.Elapsed.ShouldBeLessThan(Limit, platform.Log);
    }

    private static async Task<(string State, int Attempts)> NoticeAsync(DistributedPlatform platform)
    {
        await using var source = NpgsqlDataSource.Create(platform.Database);
        await using var connection = await source.OpenConnectionAsync();
        return await connection.QuerySingleAsync<(string, int)>("select state, attempts from notice");
    }

    private static async Task ExecuteAsync(DistributedPlatform platform, string sql)
    {
        await using var source = NpgsqlDataSource.Create(platform.Database);
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
