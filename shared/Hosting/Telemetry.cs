using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Espalier.Hosting;

/// <summary>
/// Traces and metrics, sent by OTLP when <c>telemetry:endpoint</c> is configured (<c>telemetry:protocol</c> is <c>grpc</c> or <c>http</c>;
/// without it, port 4318 means http), and metrics for whoever asks for <see cref="MetricsPath"/>.
/// </summary>
public static class Telemetry
{
    /// <summary>Where a service hands out its metrics, as Prometheus reads them, without a key: they hold numbers, no names of models or runs.</summary>
    public const string MetricsPath = "/metrics";

    private const int HttpPort = 4318;
    private const int MetricsMilliseconds = 10_000;

    /// <summary>Collects from this process, from a host's start to its end.</summary>
    /// <exception cref="ArgumentException">The endpoint is not an address, or the protocol is unknown.</exception>
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
        services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService($"espalier-{service}"))
            .WithTracing(traces => traces
                .AddSource("Espalier.*", "MassTransit").AddAspNetCoreInstrumentation().AddNpgsql()
                .AddOtlpExporter(exporter => SetAddress(exporter, "v1/traces")))
            .WithMetrics(metrics => metrics
                .AddMeters()
                .AddOtlpExporter((exporter, reader) =>
                {
                    SetAddress(exporter, "v1/metrics");
                    reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds = MetricsMilliseconds;
                }));
        return services;

        // Over gRPC the path is part of the protocol; over HTTP it is ours to name.
        void SetAddress(OtlpExporterOptions exporter, string path)
        {
            exporter.Protocol = isHttp ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
            exporter.Endpoint = isHttp ? new Uri(endpoint.AbsoluteUri.TrimEnd('/') + "/" + path) : endpoint;
        }
    }

    /// <summary>Collects metrics for whoever asks the process for them.</summary>
    public static IServiceCollection AddMetricsPage(this IServiceCollection services, string service)
    {
        services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService($"espalier-{service}"))
            .WithMetrics(metrics => metrics.AddMeters().AddPrometheusExporter());
        return services;
    }

    /// <summary>For a process whose host is built but never started: begins to collect. Disposing the services sends the rest.</summary>
    public static void Start(IServiceProvider services)
    {
        services.GetService<TracerProvider>();
        services.GetService<MeterProvider>();
    }

    private static MeterProviderBuilder AddMeters(this MeterProviderBuilder metrics) =>
        metrics.AddMeter("Espalier.*", "MassTransit", "System.Runtime").AddAspNetCoreInstrumentation().AddNpgsqlInstrumentation();
}
