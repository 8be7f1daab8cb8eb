namespace Espalier.Messaging;

/// <summary>Names of the queues that more than one project knows.</summary>
public static class EndpointNames
{
    /// <summary>Requests to the orchestrator.</summary>
    public const string Orchestrator = "orchestrator";

    /// <summary>The registry's events, for the triggers of pipelines.</summary>
    public const string Triggers = "orchestrator-triggers";

    /// <summary>Requests to the registry.</summary>
    public const string Registry = "registry";

    /// <summary>How every queue of work hints begins.</summary>
    public const string WorkPrefix = "work-";

    /// <summary>Work hints for one stage kind on one device class.</summary>
    public static string Work(string kind, string device) => $"{WorkPrefix}{kind}-{device}";

    /// <summary>How every queue of requests for estimates begins.</summary>
    public const string EstimatesPrefix = "estimates-";

    /// <summary>Requests for estimates of one stage kind.</summary>
    public static string Estimates(string kind) => $"{EstimatesPrefix}{kind}";

    /// <summary>The address to send to: the exchange, so that a sender never declares the receiver's queue.</summary>
    public static Uri AddressOf(string endpoint) => new($"exchange:{endpoint}");
}
