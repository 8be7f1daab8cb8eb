using System.Net.ServerSentEvents;
using System.Text.Json.Nodes;
using Espalier.Cli.Terminals;

namespace Espalier.Cli.Client;

/// <summary>An event of a run as one line of JSON: its body, preceded by its type.</summary>
internal static class EventLine
{
    public static void Write(Terminal terminal, SseItem<string> item)
    {
        var line = new JsonObject { ["event"] = item.EventType };
        if (JsonNode.Parse(item.Data) is JsonObject body)
        {
            foreach (var (name, value) in body)
                line[name] = value?.DeepClone();
        }
        terminal.Output.WriteLine(line.ToJsonString(Contracts.WireJson.Options));
    }
}
