using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Espalier.Hosting;

/// <summary>Traces and metrics, sent by OTLP when <c>telemetry:endpoint</c> is configured; otherwise nothing is collected.</summary>
public static class Telemetry
{
    /// <summary>Sources of spans: ours, and those of the libraries that carry our messages and statements.</summary>
    private static readonly string[] Sources = ["Espalier.*", "MassTransit", "Npgsql", "Microsoft.AspNetCore"];

    private static readonly string[] Meters = ["Espalier.*", "MassTransit", "Npgsql", "Microsoft.AspNetCore.Hosting", "System.Runtime"];

    /// <summary>Adds the exporters.</summary>
    /// <exception cref="ArgumentException">The endpoint is no address.</exception>
    public static IServiceCollection AddTelemetry(this IServiceCollection services, string service, IConfiguration configuration)
    {
        if (configuration["telemetry:endpoint"] is not { Length: > 0 } text)
            return services;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var endpoint) || endpoint.Scheme is not ("http" or "https"))
            throw new ArgumentException($"telemetry:endpoint is '{text}': expected an address such as http://127.0.0.1:4317.");
        return services.AddHostedService(_ => new Exporters(service, endpoint));
    }

    private sealed class Exporters(string service, Uri endpoint) : IHostedService, IDisposable
    {
        private TracerProvider? _traces;
        private MeterProvider? _metrics;

        public Task StartAsync(CancellationToken cancellationToken)
        {
            var resource = ResourceBuilder.CreateDefault().AddService($"espalier-{service}");
            _traces = Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource).AddSource(Sources)
                .AddOtlpExporter(o => o.Endpoint = endpoint).Build();
            _metrics = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource).AddMeter(Meters)
                .AddOtlpExporter(o => o.Endpoint = endpoint).Build();
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken)
        {
            _traces?.ForceFlush(2000);
            return Task.CompletedTask;
        }

        public void Dispose()
        {
            _traces?.Dispose();
            _metrics?.Dispose();
        }
    }
}
