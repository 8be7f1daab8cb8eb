using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace Espalier.Hosting;

/// <summary>One JSON object a line on the console: time, level, category, event, message, values, exception; no secrets.</summary>
public sealed class ScrubbedJsonFormatter(SecretScrubber scrubber, TimeProvider time) : ConsoleFormatter(FormatterName)
{
    /// <summary>Name under which the console logger finds it.</summary>
    public const string FormatterName = "scrubbed-json";

    /// <inheritdoc/>
    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        var line = new Dictionary<string, object?>
        {
            ["time"] = time.GetUtcNow().ToString("O"),
            ["level"] = logEntry.LogLevel.ToString().ToLowerInvariant(),
            ["category"] = logEntry.Category,
            ["event"] = logEntry.EventId.Id,
            ["message"] = scrubber.Scrub(logEntry.Formatter(logEntry.State, logEntry.Exception)),
        };
        if (logEntry.State is IEnumerable<KeyValuePair<string, object?>> values)
        {
            foreach (var (name, value) in values)
            {
                if (name != "{OriginalFormat}")
                    line.TryAdd(name, scrubber.Scrub(value?.ToString() ?? ""));
            }
        }
        scopeProvider?.ForEachScope((scope, values) =>
        {
            if (scope is IEnumerable<KeyValuePair<string, object>> named)
            {
                foreach (var (name, value) in named)
                    values.TryAdd(name, scrubber.Scrub(value?.ToString() ?? ""));
            }
        }, line);
        if (System.Diagnostics.Activity.Current is { } activity)
            line.TryAdd("trace", activity.TraceId.ToString());
        if (logEntry.Exception is { } exception)
            line["exception"] = scrubber.Scrub(exception.ToString());
        textWriter.WriteLine(JsonSerializer.Serialize(line));
    }
}

/// <summary>Registers the console log.</summary>
public static class LoggingBuilderExtensions
{
    /// <summary>Replaces every log provider by JSON lines on the console without the configuration's secrets.</summary>
    public static ILoggingBuilder AddScrubbedJson(this ILoggingBuilder logging, IConfiguration configuration)
    {
        logging.ClearProviders();
        logging.Services.AddSingleton(_ => new SecretScrubber(configuration));
        logging.Services.AddSingleton<ConsoleFormatter>(
            p => new ScrubbedJsonFormatter(p.GetRequiredService<SecretScrubber>(), p.GetService<TimeProvider>() ?? TimeProvider.System));
        logging.AddConsole(console => console.FormatterName = ScrubbedJsonFormatter.FormatterName);
        // Whoever asks for readiness reads the answer; a line for every question says nothing new.
        logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.Critical);
        logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning).AddFilter("Microsoft.Hosting", LogLevel.Information);
        return logging;
    }
}
