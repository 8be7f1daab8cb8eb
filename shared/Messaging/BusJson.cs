using System.Text.Json;
using Espalier.Contracts;
using MassTransit;
using MassTransit.Serialization;

namespace Espalier.Messaging;

/// <summary>Puts the naming of <see cref="WireJson"/> onto the bus, envelope included.</summary>
internal static class BusJson
{
    private static readonly Lock Gate = new();

    /// <summary>The serializer's options belong to the process, so they are changed once, whatever the number of buses.</summary>
    public static void Configure(IBusFactoryConfigurator bus)
    {
        lock (Gate)
        {
            if (SystemTextJsonMessageSerializer.Options.PropertyNamingPolicy != JsonNamingPolicy.KebabCaseLower)
                bus.ConfigureJsonSerializerOptions(WithWireNames);
        }
    }

    private static JsonSerializerOptions WithWireNames(JsonSerializerOptions options)
    {
        var result = new JsonSerializerOptions(options)
        {
            PropertyNamingPolicy = WireJson.Options.PropertyNamingPolicy,
            Encoder = WireJson.Options.Encoder,
            WriteIndented = false,
        };
        foreach (var converter in WireJson.Options.Converters)
            result.Converters.Insert(0, converter);
        return result;
    }
}
