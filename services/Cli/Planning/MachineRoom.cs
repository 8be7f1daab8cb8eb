using Espalier.Cli.Terminals;
using Espalier.Modeling.Runtime;
using Espalier.Pipelines.Resolution;

namespace Espalier.Cli.Planning;

/// <summary>The main memory of this machine, for steps that would run here.</summary>
internal sealed class MachineRoom : IStepRooms
{
    public Task<StepRoom?> FindAsync(string device, CancellationToken cancellationToken)
    {
        var bytes = device == "cpu" ? HostMemory.TotalBytes() : 0;
        return Task.FromResult(bytes == 0 ? null : new StepRoom(bytes, $"this machine has {Amounts.Bytes(bytes)}"));
    }
}
