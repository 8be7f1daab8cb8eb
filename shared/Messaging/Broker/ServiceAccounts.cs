using Espalier.Contracts;

namespace Espalier.Messaging.Broker;

/// <summary>A service as the broker knows it: the name of its account and the stage kinds whose hints it may take.</summary>
/// <param name="Name">Account and service name.</param>
/// <param name="Kinds">Stage kinds; none for the orchestrator.</param>
public sealed record ServiceAccount(string Name, IReadOnlyList<string> Kinds);

/// <summary>The services of the platform.</summary>
public static class ServiceAccounts
{
    /// <summary>The service that every other sends requests to.</summary>
    public const string Orchestrator = "orchestrator";

    /// <summary>Every service, the orchestrator first.</summary>
    public static IReadOnlyList<ServiceAccount> All { get; } =
    [
        new(Orchestrator, []),
        new("registry", [StageKinds.Register]),
        new("cpt-trainer", [StageKinds.Train, StageKinds.Dataset, StageKinds.Command]),
        new("upcycler", [StageKinds.Upcycle, StageKinds.Merge]),
        new("pruner", [StageKinds.Prune]),
        new("quantizer", [StageKinds.Quantize]),
        new("evaluator", [StageKinds.Evaluate]),
    ];
}
