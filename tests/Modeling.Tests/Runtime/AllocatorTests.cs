using Espalier.Modeling.Runtime;
using TorchSharp;

namespace Espalier.Modeling.Tests.Runtime;

public sealed class AllocatorTests
{
    [Fact]
    public void ReleaseFreeMemory_AfterManyThreadsFreedTensors_GivesThePagesBack()
    {
        TorchRuntime.Initialize();
        long before = ResidentBytes();

        for (int i = 0; i < 8; i++)
        {
            var thread = new Thread(AllocateAndFree);
            thread.Start();
            thread.Join();
        }
        TorchRuntime.ReleaseFreeMemory();

        (ResidentBytes() - before).ShouldBeLessThan(48L << 20);
    }

    // Blocks below the size that the C library maps on their own, kept until the end so that an arena has to grow: 64 MiB.
    private static void AllocateAndFree()
    {
        using var scope = torch.NewDisposeScope();
        var kept = Enumerable.Range(0, 1024).Select(_ => torch.ones(16 * 1024)).ToList();
        kept.Count.ShouldBe(1024);
    }

    private static long ResidentBytes()
    {
        string pages = File.ReadAllText("/proc/self/statm").Split(' ')[1];
        return long.Parse(pages, System.Globalization.CultureInfo.InvariantCulture) * Environment.SystemPageSize;
    }
}
