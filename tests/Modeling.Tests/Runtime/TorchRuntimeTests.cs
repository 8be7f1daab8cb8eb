using System.Globalization;
using Espalier.Kernels;
using Espalier.Modeling.Runtime;
using TorchSharp;

namespace Espalier.Modeling.Tests.Runtime;

public sealed class TorchRuntimeTests
{
    [Fact]
    public void NumericsClass_NamesAllThatDecidesBits()
    {
        var parts = TorchRuntime.NumericsClass.Split(';');

        parts[2..].ShouldBe(["cpu", VectorUnits.Name, $"kernels={KernelLibrary.Current}", $"threads={TorchRuntime.Threads}"]);
        string.Join(';', parts[..2]).ShouldBe(TorchRuntime.EngineVersion);
        parts[0].ShouldStartWith("torchsharp-0.");
        parts[1].ShouldStartWith("libtorch-2.");
    }

    [Fact]
    public void Threads_CanBeSet()
    {
        var before = TorchRuntime.Threads;
        try
        {
            TorchRuntime.Initialize(threads: 1);
            torch.get_num_threads().ShouldBe(1);
        }
        finally
        {
            torch.set_num_threads(before);
        }
    }

    [Fact]
    public void Threads_ByDefault_AreTheCores()
    {
        var chosen = Environment.GetEnvironmentVariable(ThreadChoice.Variable);

        ThreadChoice.Default.ShouldBeInRange(1, Environment.ProcessorCount);
        if (chosen is not null)
            TorchRuntime.Threads.ShouldBe(int.Parse(chosen, CultureInfo.InvariantCulture));
    }
}
