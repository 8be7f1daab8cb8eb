using System.Net;
using CsCheck;
using Espalier.Registry.Tests.Support;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Registry;
using Microsoft.AspNetCore.Routing;

namespace Espalier.Registry.Tests.Api.Fuzz;

/// <summary>Bad text in every place of every route, on both databases: whatever a request holds, it is the request that is refused.</summary>
public sealed class BadTextTests(PostgresServer postgres) : IClassFixture<PostgresServer>
{
    private const int Requests = 1500;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Request_WithBadText_IsAnsweredOrRefused(bool isPostgres)
    {
        var database = isPostgres ? await postgres.NewDatabaseAsync() : null;
        await using var server = await RegistryServer.StartAsync(options => options.Database = database ?? options.Database);
        var checkpoint = await TinyCheckpoints.CreateAsync(server.Store);
        await server.RegisterAsync("demo", checkpoint);
        await server.Registry.MoveAliasAsync("demo", "champion", 1, "tester", "", default);
        using var client = server.Client();
        var plans = RequestPlan.Of(server.Get<IEnumerable<EndpointDataSource>>());

        await Gen.Select(Gen.OneOf(plans.ToArray()), BadText.Generate).SampleAsync(async (plan, text) =>
        {
            using var request = plan.Write(text);
            using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            // Without an orchestrator what is meant for it is refused as such.
            if (answer.StatusCode is not (HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable))
                ((int)answer.StatusCode).ShouldBeLessThan(500, $"{request}\n{(request.Content is { } body ? await body.ReadAsStringAsync() : "")}");
        }, iter: Requests, threads: 2);

        (await server.Registry.ResolveAsync("demo@champion", default)).Version.ShouldBe(1);
        plans.Count.ShouldBeGreaterThan(300);
    }
}
