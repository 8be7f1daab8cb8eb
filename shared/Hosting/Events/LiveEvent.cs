using System.Globalization;
using System.Net.ServerSentEvents;
using System.Text.Json;

namespace Espalier.Hosting.Events;

/// <summary>One event of a stream that carries several topics.</summary>
/// <param name="Topic">Name of its topic.</param>
/// <param name="Name">Its own name, as a stream of that topic alone has it; <see cref="End"/> and <see cref="Lost"/> are said of the topic.</param>
/// <param name="Data">What it says, as JSON.</param>
/// <param name="Id">Its position, to go on from; null for what is not kept.</param>
public sealed record LiveEvent(string Topic, string Name, string Data = "{}", long? Id = null)
{
    /// <summary>Name of the event after which a topic has no more.</summary>
    public const string End = "end";

    /// <summary>Name of the event after which nothing is heard of a topic, although there may be more.</summary>
    public const string Lost = "lost";

    /// <summary>An event of a stream of one topic.</summary>
    public static LiveEvent Of(string topic, SseItem<string> item) => new(
        topic, item.EventType, item.Data, long.TryParse(item.EventId, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : null);

    /// <summary>The event as it is sent.</summary>
    public SseItem<string> ToItem() => new(JsonSerializer.Serialize(this, JsonSerializerOptions.Web));
}
