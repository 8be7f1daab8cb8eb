using Espalier.Contracts;

namespace Espalier.Orchestrator.Ledger;

/// <summary>What the stages of workers are like that are too old to say it themselves (<see cref="StageAdvertised.Traits"/>).</summary>
internal static class TraitsOfOldWorkers
{
    public static StageTraits Of(string kind) => kind switch
    {
        StageKinds.Dataset => new() { Outputs = [OutputNames.Data], Fingerprints = new Dictionary<string, string> { ["source"] = "fingerprint" } },
        StageKinds.Train or StageKinds.Upcycle => new() { Outputs = [OutputNames.Model, OutputNames.TrainerState, OutputNames.Report] },
        StageKinds.Evaluate => new() { Outputs = [OutputNames.Report], InputNamesMatter = true },
        StageKinds.Register => new() { Outputs = [], InputNamesMatter = true, IsEffect = true },
        _ => new(),
    };
}
