using System.Globalization;
using Espalier.Contracts;
using Espalier.Messaging;
using Espalier.NoopService;
using Espalier.Orchestrator;
using Espalier.Stages.Worker;
using Espalier.Stages;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Embedded;
using Microsoft.Extensions.DependencyInjection;
using Xunit.Abstractions;

namespace Espalier.Integration.Tests.Distributed;

/// <summary>Time of one step that does nothing: 40 in a row. Prints medians; asserts only that every step ran.</summary>
[Collection(ServersCollection.Name)]
public sealed class StepOverheadTests(BrokerAndDatabase servers, ITestOutputHelper output)
{
    private const int Steps = 40;

    [Fact]
    public Task InMemory_FortySteps_PrintsTimePerStep() => MeasureAsync("in memory, SQLite", null, null);

    [Fact]
    public async Task RabbitMq_FortySteps_PrintsTimePerStep() => await MeasureAsync(
        "RabbitMQ, PostgreSQL",
        new MessagingOptions { Transport = MessagingTransport.RabbitMq, Broker = servers.Broker.Address },
        new OrchestratorOptions { Provider = LedgerProvider.PostgreSql, Connection = await servers.Database.NewDatabaseAsync() });

    private async Task MeasureAsync(string name, MessagingOptions? messaging, OrchestratorOptions? orchestrator)
    {
        await using var platform = await EmbeddedPlatform.StartAsync(
            services: s => s.AddSingleton<INumericsClass, FixedNumerics>().AddSingleton<IStage, UnitsStage>(), messaging: messaging, orchestrator: orchestrator);
        await platform.EndAsync(await platform.SubmitAsync(Chain("warm-up")));

        var busyBefore = Environment.CpuUsage.TotalTime;
        var run = await platform.EndAsync(await platform.SubmitAsync(Chain("measured")));
        var busy = Environment.CpuUsage.TotalTime - busyBefore;

        run.Steps.Count(s => s.State == StepState.Succeeded).ShouldBe(Steps);
        var ends = run.Steps.Select(s => s.Ended!.Value).ToList();
        var gaps = ends.Zip(ends.Skip(1), (a, b) => (b - a).TotalMilliseconds).Order().ToList();
        var text = string.Create(CultureInfo.InvariantCulture,
            $"step overhead, {name}: {Steps} steps in {(run.Ended!.Value - run.Created).TotalMilliseconds:0} ms; per step median {gaps[gaps.Count / 2]:0} ms, 90 % {gaps[gaps.Count * 9 / 10]:0} ms, processor time {busy.TotalMilliseconds / Steps:0.0} ms");
        output.WriteLine(text);
        Console.WriteLine(text);
    }

    private static string Chain(string text) =>
        $"name: chain\nstages:\n  s0: {{ uses: noop, with: {{ text: {text} }} }}\n"
        + string.Join('\n', Enumerable.Range(1, Steps - 1).Select(i => $"  s{i}: {{ uses: noop, needs: s{i - 1}, with: {{ text: {text}, from: \"${{s{i - 1}.model}}\" }} }}"));
}
