using Espalier.Stages.Worker;
using Espalier.Stages.Worker.Isolation;

namespace Espalier.Stages.Tests;

public sealed class WorkDevicesTests
{
    [Fact]
    public async Task Take_SeveralAtOnce_SeeDifferentDevices()
    {
        await using var processes = new WorkProcesses(["cat"], TimeProvider.System, new WorkDevices(["4", "GPU-beef"]));
        var (first, second, third) = (processes.Take(), processes.Take(), processes.Take());

        new[] { first, second, third }.Select(DevicesOf).ShouldBe(["4", "GPU-beef", "4"], "the third shares the least used one");
        await processes.EndAsync(third);
        await processes.GiveBackAsync(first);
        var again = processes.Take();
        again.Id.ShouldBe(first.Id, "it waited, and its device is free");
        await processes.GiveBackAsync(again);
        await processes.EndAsync(second);
        var next = processes.Take();
        DevicesOf(next).ShouldBe("4");
        var other = processes.Take();
        DevicesOf(other).ShouldBe("GPU-beef");
        await processes.EndAsync(next);
        await processes.EndAsync(other);
    }

    [Fact]
    public async Task Take_IdleOneOfADeviceThatIsInUse_IsNotTaken()
    {
        await using var processes = new WorkProcesses(["cat"], TimeProvider.System, new WorkDevices(["0", "1"]));
        var (first, second) = (processes.Take(), processes.Take());
        await processes.GiveBackAsync(second); // waits on 1
        await processes.GiveBackAsync(first); // waits on 0, and is taken before the other
        var (a, b) = (processes.Take(), processes.Take());

        new[] { a, b }.Select(DevicesOf).ShouldBe(["0", "1"]);
        (a.Id, b.Id).ShouldBe((first.Id, second.Id));
        await processes.EndAsync(a);
        var fresh = processes.Take();
        DevicesOf(fresh).ShouldBe("0", "1 is in use");
        await processes.EndAsync(fresh);
        await processes.EndAsync(b);
    }

    [Theory]
    [InlineData("cpu", null)]
    [InlineData("cuda", "0")]
    public void Of_DeviceOfTheWorker_ChoosesForCudaAlone(string device, string? expected)
    {
        var options = new StageWorkerOptions { Device = device, Slots = 2 };
        var devices = WorkDevices.Of(options.ClassOf(device), options);

        devices.EnvironmentOf(devices.Take()).Where(v => v.Key == WorkDevices.Variable).Select(v => v.Value).ShouldBe(expected is null ? [] : [expected]);
    }

    private static string? DevicesOf(WorkProcess process) =>
        File.ReadAllText($"/proc/{process.Id}/environ").Split('\0').FirstOrDefault(v => v.StartsWith($"{WorkDevices.Variable}=", StringComparison.Ordinal))?
            .Split('=')[1];
}
