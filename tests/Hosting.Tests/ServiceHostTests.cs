using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Espalier.Hosting.Tests;

public sealed class ServiceHostTests
{
    [Fact]
    public async Task Readyz_CheckFails_SaysWhichAndLivenessStays()
    {
        await using var app = ServiceHost.Build("test", [], builder => builder.Services.AddHealthChecks()
            .AddCheck("ledger", () => HealthCheckResult.Unhealthy("It does not answer."), tags: ["ready"]));
        await app.StartAsync();
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };

        using var live = await client.GetAsync("/healthz");
        using var ready = await client.GetAsync("/readyz");

        live.IsSuccessStatusCode.ShouldBeTrue();
        ((int)ready.StatusCode).ShouldBe(503);
        (await ready.Content.ReadAsStringAsync()).ShouldContain("It does not answer.");
        app.Urls.Single().ShouldStartWith("http://127.0.0.1:");
    }

    [Fact]
    public async Task Metrics_OfAService_AreHandedOut()
    {
        using var meter = new System.Diagnostics.Metrics.Meter("Espalier.Test");
        await using var app = ServiceHost.Build("test", [], _ => { });
        await app.StartAsync();
        meter.CreateCounter<long>("espalier.test.things", "{thing}").Add(3);
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };

        (await client.GetStringAsync(Telemetry.MetricsPath)).ShouldContain("espalier_test_things_total{");
    }

    [Fact]
    public async Task Run_WrongSetting_EndsWithTwo() =>
        (await ServiceHost.RunAsync("test", [], _ => throw new InvalidOperationException("worker:slots: 99 is out of range."))).ShouldBe(2);

    [Fact]
    public async Task Run_ServiceThatCannotStart_EndsWithOneAndNoStackTrace() =>
        (await ServiceHost.RunAsync("test", [], builder => builder.Services.AddHostedService<Broken>())).ShouldBe(1);

    private sealed class Broken : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => throw new InvalidOperationException("The ledger does not answer.");

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    [Fact]
    public async Task Run_TelemetryEndpointIsNoAddress_EndsWithTwo() =>
        (await ServiceHost.RunAsync("test", ["--telemetry:endpoint=nonsense"], _ => { })).ShouldBe(2);

    [Fact]
    public async Task Build_EnvironmentVariable_IsASetting()
    {
        Environment.SetEnvironmentVariable("ESPALIER__HTTP__URL", "http://127.0.0.1:0");
        Environment.SetEnvironmentVariable("ESPALIER__WORKER__SLOTS", "7");
        string? slots = null;

        await using var app = ServiceHost.Build("test", [], builder => slots = builder.Configuration["worker:slots"]);

        slots.ShouldBe("7");
        Environment.SetEnvironmentVariable("ESPALIER__WORKER__SLOTS", null);
    }

    [Fact]
    public void Log_MessageWithSecret_IsScrubbedJson()
    {
        var writer = new StringWriter();
        var formatter = new ScrubbedJsonFormatter(new SecretScrubber(["correct-horse"]), TimeProvider.System);

        formatter.Write(new Microsoft.Extensions.Logging.Abstractions.LogEntry<string>(
            LogLevel.Warning, "test", new EventId(3), "password correct-horse", new InvalidOperationException("correct-horse"), (s, _) => s), null, writer);

        var line = System.Text.Json.JsonDocument.Parse(writer.ToString()).RootElement;
        line.GetProperty("message").GetString().ShouldBe("password ***");
        line.GetProperty("exception").GetString()!.ShouldNotContain("correct-horse");
        line.GetProperty("level").GetString().ShouldBe("warning");
    }
}
