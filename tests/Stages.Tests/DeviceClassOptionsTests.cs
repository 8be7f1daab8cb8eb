using Espalier.Contracts;
using Espalier.Messaging;
using Espalier.Stages.Worker;
using Espalier.Stages.Worker.Isolation;
using Microsoft.Extensions.Configuration;

namespace Espalier.Stages.Tests;

/// <summary>Device classes as settings say them.</summary>
public sealed class DeviceClassOptionsTests
{
    [Fact]
    public void Classes_OfSettings_HaveTheirOwnSlotsAndMemory()
    {
        var options = Read(
            ("devices:0:name", "cuda"), ("devices:0:count", "4"), ("devices:0:memory", "80GiB"), ("devices:0:pretended", "true"),
            ("devices:1:name", "cpu"), ("devices:1:slots", "2"), ("memory-bytes", $"{16L << 30}"));

        options.Validate();
        options.Classes.ShouldBe(
        [
            new DeviceClass { Name = "cuda", Count = 4, Slots = 4, MemoryBytes = 80L << 30, IsPretended = true },
            new DeviceClass { Name = "cpu", Count = 1, Slots = 2, MemoryBytes = 16L << 30 },
        ]);
        options.Classes.Select(c => c.SlotBytes >> 30).ShouldBe([80, 8]);
    }

    [Fact]
    public void Classes_OfTheOldSettings_AreTheOneThatTheyNamed() =>
        Read(("device", "cuda"), ("slots", "2"), ("memory-bytes", "1000")).Classes
            .ShouldBe([new DeviceClass { Name = "cuda", Slots = 2, MemoryBytes = 1000 }]);

    [Theory]
    [InlineData("devices:0:name", "gpu", "worker:devices:0:name", "cpu, cuda, kubernetes")]
    [InlineData("devices:0:nmae", "cpu", "worker:devices:0:nmae", "count, memory, name, pretended, slots")]
    [InlineData("devices:0:count", "0", "worker:devices:0:count", "1 to 64")]
    [InlineData("devices:0:memory", "80", "worker:devices:0:memory", "24GiB")]
    [InlineData("devices:1:count", "8", "worker:devices:1:count", "'slots' to 8")]
    [InlineData("devices:1:name", "cuda", "worker:devices", "twice")]
    [InlineData("devices:1:pretended", "true", "worker:devices:1:pretended", "cuda only")]
    [InlineData("slots", "2", "worker:slots", "slots of its own")]
    [InlineData("device", "cuda", "worker:device", "leave it out")]
    public void Validate_WrongSetting_IsNamedWithWhatIsExpected(string setting, string value, string named, string expected)
    {
        var settings = new Dictionary<string, string>
        {
            ["devices:0:name"] = "cuda", ["devices:0:count"] = "1", ["devices:1:name"] = "cpu", [setting] = value,
        };

        var problem = Should.Throw<UserInputException>(() => Read([.. settings.Select(s => (s.Key, s.Value))]).Validate());

        problem.Problems.ShouldContain(p => p.Place == named && p.Message.Contains(expected), string.Join('\n', problem.Problems));
    }

    [Fact]
    public void Environment_OfEachClass_ShowsOwnGpusAndNoneToTheCpu()
    {
        var options = Read(("devices:0:name", "cuda"), ("devices:0:count", "3"), ("devices:0:pretended", "true"), ("devices:1:name", "cpu"));
        var (gpus, processors) = (WorkDevices.Of(options.Classes[0], options), WorkDevices.Of(options.Classes[1], options));

        Enumerable.Range(0, 3).Select(_ => Shown(gpus)).ShouldBe(["0", "1", "2"]);
        Enumerable.Range(0, 2).Select(_ => Shown(processors)).ShouldBe(["", ""]);
    }

    [Theory]
    [InlineData(1, 4, 80, 20, 60L)]
    [InlineData(4, 4, 80, 20, 80L)]
    [InlineData(2, 4, 80, 20, 40L)]
    [InlineData(1, 1, 0, 20, null)]
    public void Room_BesideWhatIsHeld_IsOfOneDevice(int count, int slots, long memory, long held, long? room) =>
        new DeviceClass { Name = "cuda", Count = count, Slots = slots, MemoryBytes = memory }.RoomBeside(held).ShouldBe(room);

    private static string Shown(WorkDevices devices) => devices.EnvironmentOf(devices.Take()).Single(v => v.Key == WorkDevices.Variable).Value;

    private static StageWorkerOptions Read(params (string Setting, string Value)[] settings) => Settings.Read<StageWorkerOptions>(
        new ConfigurationBuilder().AddInMemoryCollection(settings.Select(s => KeyValuePair.Create($"worker:{s.Setting}", (string?)s.Value))).Build(),
        StageWorkerOptions.Section);
}
