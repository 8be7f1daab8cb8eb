using Espalier.Contracts;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Hosting;

/// <summary>JSON over HTTP as it is everywhere on the wire.</summary>
public static class WireJsonExtensions
{
    /// <summary>Makes routes read and write as <see cref="WireJson"/> does.</summary>
    public static IServiceCollection AddWireJson(this IServiceCollection services) => services.ConfigureHttpJsonOptions(http =>
    {
        var (json, wire) = (http.SerializerOptions, WireJson.Options);
        json.PropertyNamingPolicy = wire.PropertyNamingPolicy;
        json.DefaultIgnoreCondition = wire.DefaultIgnoreCondition;
        json.NumberHandling = wire.NumberHandling;
        json.Encoder = wire.Encoder;
        json.MaxDepth = wire.MaxDepth;
        foreach (var converter in wire.Converters)
            json.Converters.Add(converter);
    });
}
