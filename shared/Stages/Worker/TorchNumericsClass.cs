using Espalier.Modeling.Runtime;

namespace Espalier.Stages.Worker;

/// <summary>The class of the tensor library in this process; the first question loads it.</summary>
internal sealed class TorchNumericsClass : INumericsClass
{
    public string Value => TorchRuntime.NumericsClass;
}
