using System.Text.Json;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Stages.Worker;

namespace Espalier.Stages.Tests;

/// <summary>What a worker says of its stages, and the keys that follow.</summary>
public sealed class OfferedStagesTests
{
    [Fact]
    public void KeyOf_DatasetOnAnotherThreadCount_IsTheSame()
    {
        var (few, many) = (Offered("torch;cpu;threads=1"), Offered("torch;cpu;threads=64"));

        few.KeyOf(Assignment(StageKinds.Dataset)).ToDigest()
            .ShouldBe(many.KeyOf(Assignment(StageKinds.Dataset)).ToDigest(), "text is the same on every machine");
        few.Offers().Single(o => o.Kind == StageKinds.Dataset).ShouldBe(many.Offers().Single(o => o.Kind == StageKinds.Dataset), "either worker may make it");
        few.KeyOf(Assignment("arithmetic")).ToDigest().ShouldNotBe(many.KeyOf(Assignment("arithmetic")).ToDigest());
    }

    [Fact]
    public void KeyOf_StepOfAnotherThreadCount_IsTheOneThatItWasBegunWith()
    {
        var (few, many) = (Offered("torch;cpu;threads=1"), Offered("torch;cpu;threads=64"));
        var assignment = Assignment("arithmetic") with { NumericsClass = "torch;cpu;threads=64" };

        few.KeyOf(assignment).ToDigest().ShouldBe(many.KeyOf(Assignment("arithmetic")).ToDigest());
        few.OtherThreads(assignment).ShouldBe(64);
        many.OtherThreads(assignment).ShouldBeNull();
        many.CheckNumerics(assignment);
        Should.Throw<StageFailedException>(() => few.CheckNumerics(assignment)).Failure.ShouldBe(FailureClass.Transient);
    }

    [Fact]
    public void Advertise_Stages_SayWhatTheyAreLike()
    {
        var stages = Offered("torch").Advertise().ToDictionary(s => s.Kind);

        stages[StageKinds.Dataset].Traits!.Outputs.ShouldBe([OutputNames.Data]);
        stages[StageKinds.Dataset].NumericsClass.ShouldBe(NumericsClasses.Any);
        stages["arithmetic"].Traits!.DependsOnNumerics.ShouldBeTrue();
        stages["arithmetic"].NumericsClass.ShouldBe("torch on cpu");
    }

    [Fact]
    public void Kinds_StageThatRunsPrograms_IsOfferedOnlyWhereSettingsAllowIt()
    {
        IStage[] stages = [new Text(), new Programs()];
        var options = new StageWorkerOptions();
        options.Kinds.Add("programs");

        new OfferedStages(stages, new StageWorkerOptions()).Kinds.ShouldBe([StageKinds.Dataset]);
        new OfferedStages(stages, new StageWorkerOptions { Commands = true }).Kinds.ShouldBe([StageKinds.Dataset, "programs"]);
        Should.Throw<UserInputException>(() => new OfferedStages(stages, options)).Message.ShouldContain("worker:commands");
    }

    [Fact]
    public void Offers_OfACluster_AreThoseOfStagesThatRunThere()
    {
        var options = new StageWorkerOptions { Devices = { new() { Name = DeviceNames.Kubernetes, Slots = 4 }, new() { Name = DeviceNames.Cpu } } };

        var offered = new OfferedStages([new Text(), new Programs()], options);

        offered.Offers().Select(o => (o.Device, o.Kind)).ShouldBe([("kubernetes", "programs"), ("cpu", StageKinds.Dataset)], "not on the worker itself");
        options.Classes[0].ShouldBe(new DeviceClass { Name = "kubernetes", Count = 1, Slots = 4 });
        Should.Throw<UserInputException>(options.Validate).Message.ShouldContain("worker:jobs:claim");
        options.Jobs = new KubernetesJobOptions { Claim = "programs", Folder = "/no/such/folder", Template = "/no/such/file" };
        options.Validate();
        var missing = Should.Throw<UserInputException>(options.CheckFiles);
        missing.Problems.Select(p => p.Place).ShouldBe(["worker:jobs:folder", "worker:jobs:template"]);
    }

    [Fact]
    public void Offers_OfSeveralClasses_SayWhereTheyComputeAndWhatIsPretended()
    {
        var options = new StageWorkerOptions
        {
            Devices = { new() { Name = DeviceNames.Cuda, Count = 1, Pretended = true }, new() { Name = DeviceNames.Cpu } },
        };
        var offered = new OfferedStages([new Text(), new Arithmetic()], options, new Numerics("torch"));

        offered.Offers().Select(o => (o.Device, o.Kind, o.NumericsClass)).ShouldBe(
        [
            ("cuda", "arithmetic", "pretended-cuda;torch on cpu"), ("cuda", StageKinds.Dataset, NumericsClasses.Any),
            ("cpu", "arithmetic", "torch on cpu"), ("cpu", StageKinds.Dataset, NumericsClasses.Any),
        ]);
        offered.Advertise().ShouldAllBe(a => a.IsSpare, "the one class is pretended, and the worker is not for the other");
        offered.KeyOf(Assignment("arithmetic")).NumericsClass.ShouldBe("torch on cpu");
        offered.KeyOf(Assignment("arithmetic") with { Device = "cuda" }).NumericsClass.ShouldBe("pretended-cuda;torch on cpu");
    }

    private static OfferedStages Offered(string numerics) => new([new Text(), new Arithmetic()], new StageWorkerOptions(), new Numerics(numerics));

    private static StepAssignment Assignment(string kind) => new()
    {
        Step = new StepAddress(Guid.Empty, "a", Digest.Of("a"u8)),
        Kind = kind,
        Fence = 1,
        Lease = TimeSpan.FromSeconds(15),
        Options = JsonSerializer.SerializeToElement(new { source = "corpus:general" }),
        Inputs = [],
        Device = "cpu",
    };

    private sealed record Options
    {
        [Option("Nothing.")]
        public int Seed { get; init; }
    }

    private sealed class Arithmetic : IStage
    {
        public string Kind => "arithmetic";

        public Type OptionsType => typeof(Options);

        public StageTraits Traits { get; } = new();

        public Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken) => throw new NotSupportedException();
    }

    private sealed class Text : IStage
    {
        public string Kind => StageKinds.Dataset;

        public Type OptionsType => typeof(Options);

        public StageTraits Traits { get; } = new() { Outputs = [OutputNames.Data], DependsOnNumerics = false };

        public Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken) => throw new NotSupportedException();
    }

    private sealed class Programs : IStage
    {
        public string Kind => "programs";

        public Type OptionsType => typeof(Options);

        public StageTraits Traits { get; } = new()
        {
            RunsPrograms = true, DependsOnNumerics = false, Clusters = new StageClusters("image", ["image"]),
        };

        public Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken) => throw new NotSupportedException();
    }

    private sealed class Numerics(string value) : INumericsClass
    {
        public string Value => value;

        public string ValueOn(string device) => value == "torch" ? $"torch on {device}" : value;
    }
}
