using System.Runtime.InteropServices;
using Espalier.Hosting.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Espalier.Hosting;

/// <summary>Runs a service the way every service of the platform runs.</summary>
public static class ServiceHost
{
    /// <summary>Prefix of environment variables that are settings: <c>ESPALIER__MESSAGING__BROKER</c>.</summary>
    public const string EnvironmentPrefix = "ESPALIER__";

    /// <summary>Exit code of a service that refuses its settings; starting it again would not help.</summary>
    public const int WrongSettings = 2;

    /// <summary>
    /// Configuration from files, environment (<see cref="EnvironmentPrefix"/>) and arguments; JSON log lines without secrets;
    /// <c>/healthz</c> (the process answers), <c>/readyz</c> (it can do its work) and <c>/metrics</c>; telemetry when an address is
    /// configured; HTTP on loopback unless <c>http:url</c> says otherwise.
    /// </summary>
    /// <param name="name">The service's name in logs and traces.</param>
    /// <param name="args">Command line: <c>--section:setting=value</c>.</param>
    /// <param name="add">Adds the service itself; throws for wrong settings.</param>
    /// <param name="map">Maps the service's own HTTP endpoints.</param>
    /// <returns>0 after a clean stop, 1 when the service cannot start or gave up, 2 when a setting is wrong.</returns>
    public static async Task<int> RunAsync(string name, string[] args, Action<WebApplicationBuilder> add, Action<WebApplication>? map = null)
    {
        WebApplication app;
        try
        {
            app = Build(name, args, add, map);
        }
        catch (Exception e)
        {
            await Console.Error.WriteLineAsync($"{name} cannot start, a setting is wrong: {e.Message}").ConfigureAwait(false);
            return WrongSettings;
        }
        await using (app.ConfigureAwait(false))
        {
            var scrubber = new SecretScrubber(app.Configuration); // now: a host that could not start is disposed of when it says so
            try
            {
                await app.RunAsync().ConfigureAwait(false);
                return Environment.ExitCode;
            }
            catch (Exception e)
            {
                await Console.Error.WriteLineAsync(scrubber.Scrub($"{name} stopped: {e.Message}")).ConfigureAwait(false);
                return 1;
            }
        }
    }

    /// <summary>
    /// Does one thing with a service's settings and ends, for jobs beside the service: no HTTP, nothing in the background. SIGTERM
    /// cancels it.
    /// </summary>
    /// <param name="name">The service's name in messages.</param>
    /// <param name="args">Command line, without the job's own word.</param>
    /// <param name="plan">Reads the settings and throws for wrong ones; what it returns does the work.</param>
    /// <returns>0 when it is done, 1 when it failed, 2 when a setting is wrong.</returns>
    public static async Task<int> RunOnceAsync(string name, string[] args, Func<IConfiguration, Func<CancellationToken, Task>> plan)
    {
        var builder = Host.CreateApplicationBuilder(args);
        builder.Configuration.AddEnvironmentVariables(EnvironmentPrefix).AddCommandLine(args);
        using var stopping = new CancellationTokenSource();
        using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = true;
            stopping.Cancel();
        });
        var scrubber = new SecretScrubber(builder.Configuration);
        var code = WrongSettings;
        try
        {
            var work = plan(builder.Configuration);
            code = 1;
            await work(stopping.Token).ConfigureAwait(false);
            return 0;
        }
        catch (Exception e)
        {
            await Console.Error.WriteLineAsync(scrubber.Scrub($"{name} did not finish: {e.Message}")).ConfigureAwait(false);
            return code;
        }
    }

    /// <summary>As <see cref="RunAsync"/> builds it, without running it.</summary>
    public static WebApplication Build(string name, string[] args, Action<WebApplicationBuilder> add, Action<WebApplication>? map = null)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ApplicationName = null });
        builder.Configuration.AddEnvironmentVariables(EnvironmentPrefix).AddCommandLine(args);
        builder.WebHost.UseUrls(builder.Configuration["http:url"] ?? "http://127.0.0.1:0");
        builder.Logging.AddScrubbedJson(builder.Configuration);
        builder.Services.AddHealthChecks();
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<ApiKeyThrottle>();
        builder.Services.AddTelemetry(name, builder.Configuration).AddMetricsPage(name);
        add(builder);
        var app = builder.Build();
        app.MapHealthChecks("/healthz", new HealthCheckOptions { Predicate = _ => false });
        app.MapHealthChecks(
            "/readyz",
            new HealthCheckOptions
            {
                Predicate = check => check.Tags.Contains("ready"),
                ResponseWriter = HealthReportWriter.WriteAsync,
                ResultStatusCodes = { [HealthStatus.Degraded] = StatusCodes.Status503ServiceUnavailable },
            });
        app.MapPrometheusScrapingEndpoint(Telemetry.MetricsPath);
        map?.Invoke(app);
        return app;
    }
}
