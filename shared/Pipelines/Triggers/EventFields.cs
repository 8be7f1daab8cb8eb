using System.Globalization;
using System.Text.Json;
using Espalier.Contracts;

namespace Espalier.Pipelines.Triggers;

/// <summary>What an event says: values by name, and values within values by path (<c>body.ref.name</c>, <c>body.items.0</c>).</summary>
/// <param name="root">A JSON object.</param>
public sealed class EventFields(JsonElement root)
{
    /// <summary>The fields as JSON.</summary>
    public JsonElement Json => root;

    /// <summary>A value by its path: a <see cref="double"/>, a <see cref="bool"/> or a <see cref="string"/>; null when the event says nothing there.</summary>
    /// <exception cref="UserInputException">There is a list or a map.</exception>
    public object? Find(string path)
    {
        var at = root;
        foreach (var part in path.Split('.'))
        {
            if (Step(at, part) is not { } next)
                return null;
            at = next;
        }
        return at.ValueKind switch
        {
            JsonValueKind.Number => at.GetDouble(),
            JsonValueKind.True or JsonValueKind.False => at.GetBoolean(),
            JsonValueKind.String => at.GetString(),
            JsonValueKind.Null or JsonValueKind.Undefined => null,
            var kind => throw new UserInputException($"event.{path} is {(kind == JsonValueKind.Array ? "a list" : "a map")}: name one value within it."),
        };
    }

    /// <summary>A value as text.</summary>
    /// <exception cref="UserInputException">The event has no such value.</exception>
    public string TextOf(string path) => Find(path) switch
    {
        null => throw new UserInputException($"The event has no '{path}'."),
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        bool truth => truth ? "true" : "false",
        var text => (string)text,
    };

    private static JsonElement? Step(JsonElement at, string part) => at.ValueKind switch
    {
        JsonValueKind.Object when at.TryGetProperty(part, out var value) => value,
        JsonValueKind.Array when int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index < at.GetArrayLength() => at[index],
        _ => null,
    };
}
