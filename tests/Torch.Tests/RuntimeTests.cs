using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Torch.Tests;

public class RuntimeTests
{
    [Fact]
    public void NumericsClass_NamesEngineKernelAndThreads()
    {
        string name = TorchRuntime.NumericsClass;

        name.ShouldStartWith(TorchRuntime.EngineVersion);
        name.ShouldContain($"blas={TorchRuntime.BlasKernel}");
        name.ShouldContain($"threads={TorchRuntime.Threads}");
    }

    [Fact]
    public void Threads_CanBeSet()
    {
        int before = TorchRuntime.Threads;
        try
        {
            TorchRuntime.Initialize(threads: 1);
            get_num_threads().ShouldBe(1);
        }
        finally
        {
            set_num_threads(before);
        }
    }

    [Fact]
    public void Device_Descriptions_AreRead()
    {
        device("cpu").type.ShouldBe(DeviceType.CPU);
        new Device("cuda:1").index.ShouldBe(1);
        new Device("cuda", 2).ToString().ShouldBe("cuda:2");
    }

    [Fact]
    public void Numbers_BecomeScalarsOfTheirType()
    {
        Scalar number = 2.5f;

        number.Type.ShouldBe(float32);
        number.ToDouble().ShouldBe(2.5);
        number.ToInt64().ShouldBe(2L);
        ((Scalar)true).ToBoolean().ShouldBeTrue();
        3L.ToScalar().Type.ShouldBe(int64);
    }

    [Fact]
    public void Threads_ByDefault_AreTheCores()
    {
        string? chosen = Environment.GetEnvironmentVariable(ThreadChoice.Variable);

        ThreadChoice.Default.ShouldBeInRange(1, Environment.ProcessorCount);
        TorchRuntime.Threads.ShouldBe(chosen is null ? ThreadChoice.Default : int.Parse(chosen));
    }

    [Fact]
    public void BlasKernel_InTheEnvironment_IsRespected()
    {
        BlasKernelChoice.For("Nehalem").ShouldBe("Nehalem");
        BlasKernelChoice.For(null).ShouldBe(BlasKernelChoice.For(""));
        BlasKernelChoice.For(null).ShouldBeOneOf("SkylakeX", "Haswell", null);
    }
}
