namespace Espalier.Messaging;

/// <summary>Names of the queues that more than one project knows.</summary>
public static class EndpointNames
{
    /// <summary>Requests to the orchestrator.</summary>
    public const string Orchestrator = "orchestrator";

    /// <summary>Work hints for one stage kind on one device class.</summary>
    public static string Work(string kind, string device) => $"work-{kind}-{device}";

    /// <summary>The address to send to: the exchange, so that a sender never declares the receiver's queue.</summary>
    public static Uri AddressOf(string endpoint) => new($"exchange:{endpoint}");
}
