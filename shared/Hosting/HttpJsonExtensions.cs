using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Hosting;

/// <summary>JSON over HTTP.</summary>
public static class HttpJsonExtensions
{
    /// <summary>Makes routes read and write by these options.</summary>
    public static IServiceCollection AddHttpJson(this IServiceCollection services, JsonSerializerOptions wire) => services.ConfigureHttpJsonOptions(http =>
    {
        var json = http.SerializerOptions;
        json.PropertyNamingPolicy = wire.PropertyNamingPolicy;
        json.DefaultIgnoreCondition = wire.DefaultIgnoreCondition;
        json.NumberHandling = wire.NumberHandling;
        json.Encoder = wire.Encoder;
        json.MaxDepth = wire.MaxDepth;
        foreach (var converter in wire.Converters)
            json.Converters.Add(converter);
    });
}
