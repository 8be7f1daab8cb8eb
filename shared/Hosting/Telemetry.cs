using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Espalier.Hosting;

/// <summary>
/// Traces and metrics, sent by OTLP when <c>telemetry:endpoint</c> is configured; otherwise nothing is collected.
/// <c>telemetry:protocol</c> is <c>grpc</c> or <c>http</c>; without it, port 4318 means http.
/// </summary>
public static class Telemetry
{
    private const int HttpPort = 4318;
    private const int MetricsMilliseconds = 10_000, FlushMilliseconds = 2000;

    /// <summary>Sources of spans: ours, and those of the libraries that carry our messages and statements.</summary>
    private static readonly string[] Sources = ["Espalier.*", "MassTransit", "Npgsql", "Microsoft.AspNetCore"];

    private static readonly string[] Meters = ["Espalier.*", "MassTransit", "Npgsql", "Microsoft.AspNetCore.Hosting", "System.Runtime"];

    /// <summary>Adds the exporters.</summary>
    /// <exception cref="ArgumentException">The endpoint is no address, or the protocol is unknown.</exception>
    public static IServiceCollection AddTelemetry(this IServiceCollection services, string service, IConfiguration configuration)
    {
        if (configuration["telemetry:endpoint"] is not { Length: > 0 } text)
            return services;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var endpoint) || endpoint.Scheme is not ("http" or "https"))
            throw new ArgumentException($"telemetry:endpoint is '{text}': expected an address such as http://127.0.0.1:4317.");
        var isHttp = configuration["telemetry:protocol"] switch
        {
            null or "" => endpoint.Port == HttpPort,
            "http" => true,
            "grpc" => false,
            var other => throw new ArgumentException($"telemetry:protocol is '{other}': expected grpc or http."),
        };
        services.AddSingleton(_ => new Exporters(service, endpoint, isHttp));
        return services.AddHostedService(provider => provider.GetRequiredService<Exporters>());
    }

    /// <summary>For a process without a running host: begins to collect. Disposing the result sends the rest.</summary>
    public static async Task<IAsyncDisposable> StartAsync(IServiceProvider services)
    {
        var exporters = services.GetService<Exporters>();
        if (exporters is not null)
            await exporters.StartAsync(CancellationToken.None).ConfigureAwait(false);
        return new Running(exporters);
    }

    private sealed class Running(Exporters? exporters) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await (exporters?.StopAsync(CancellationToken.None) ?? Task.CompletedTask).ConfigureAwait(false);
    }

    private sealed class Exporters(string service, Uri endpoint, bool isHttp) : IHostedService, IDisposable
    {
        private TracerProvider? _traces;
        private MeterProvider? _metrics;

        public Task StartAsync(CancellationToken cancellationToken)
        {
            var resource = ResourceBuilder.CreateDefault().AddService($"espalier-{service}");
            _traces = Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource).AddSource(Sources)
                .AddOtlpExporter(o => Set(o, "v1/traces")).Build();
            _metrics = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource).AddMeter(Meters)
                .AddOtlpExporter((o, reader) =>
                {
                    Set(o, "v1/metrics");
                    reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds = MetricsMilliseconds;
                }).Build();
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken)
        {
            _traces?.ForceFlush(FlushMilliseconds);
            _metrics?.ForceFlush(FlushMilliseconds);
            return Task.CompletedTask;
        }

        public void Dispose()
        {
            _traces?.Dispose();
            _metrics?.Dispose();
        }

        /// <summary>Over gRPC the path is part of the protocol; over HTTP it is ours to name.</summary>
        private void Set(OtlpExporterOptions options, string path)
        {
            options.Protocol = isHttp ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
            options.Endpoint = isHttp ? new Uri(endpoint.AbsoluteUri.TrimEnd('/') + "/" + path) : endpoint;
        }
    }
}
