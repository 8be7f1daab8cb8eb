using System.Diagnostics;
using System.Runtime.InteropServices;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.CptTrainer.Commands;
using Espalier.CptTrainer.Commands.Local;
using Espalier.Stages;
using Espalier.Stages.Worker;
using Espalier.TestKit.Servers;

namespace Espalier.CptTrainer.Tests.Commands;

/// <summary>Programs of other people as a step.</summary>
public sealed class CommandStageTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly CommandBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task Run_ProgramThatCopiesItsModel_TakesItInWithLineageAndMetrics()
    {
        var model = await _bench.AddModelAsync();
        var data = await _bench.Training.AddDatasetAsync("one", "two");
        var progress = new RecordedProgress();

        var result = await RunAsync(
            """
            set -e
            test "$(wc -l < data/train/words.jsonl)" = 2
            echo '{"phase":"copying","done":1,"total":2,"unit":"files","loss":2.5,"grad_norm":0.5}'
            echo '{"loss": 1.25}'
            echo "hello from $WHO" >&2
            cp -r model out
            """, [new StepInput("base", "model", model), new StepInput("text", "data", data)], progress,
            new CommandOptions
            {
                Command = [], Outputs = new CommandOutputs { Model = "out" }, Environment = new Dictionary<string, string> { ["WHO"] = "a test" },
            });

        var manifest = await _bench.Training.Store.ReadAsync(result.Outputs[OutputNames.Model].Root, default);
        var before = await _bench.Training.Store.ReadAsync(model.Root, default);
        manifest.Tensors.Select(t => (t.Name, t.Blob, t.Offset)).ShouldBe(before.Tensors.Select(t => (t.Name, t.Blob, t.Offset)), "copied bit for bit");
        manifest.Parents.Select(p => (p.Manifest, p.Relation)).ShouldBe([(model.Root, "trained"), (data.Root, "data")], ignoreOrder: true);
        result.Metrics.ShouldBe(new Dictionary<string, double> { ["loss"] = 1.25, ["grad-norm"] = 0.5 }, ignoreOrder: true);
        progress.Lines.ShouldContain("hello from a test");
        progress.Phases.ShouldContain(("copying", 1, 2, "files"));
        Directory.GetDirectories(Path.Combine(_bench.Cache.FullName, "commands")).ShouldBeEmpty("what was taken in is not kept twice");
    }

    [Fact]
    public async Task Run_ProgramThatFails_SaysHowItEndedAndWhatItSaid()
    {
        var failed = await Should.ThrowAsync<StageFailedException>(() => RunAsync("echo 'CUDA error: no kernel image'; exit 3"));

        failed.Message.ShouldBe("The program 'sh' ended with exit code 3. It last said: CUDA error: no kernel image");
        failed.Failure.ShouldBe(FailureClass.Transient, "another worker, or another moment, may do it");
        (await Should.ThrowAsync<StageFailedException>(() => RunAsync("kill -KILL $$"))).Failure.ShouldBe(FailureClass.Resource);
    }

    [Theory]
    [InlineData("true", "there is no folder 'out'")]
    [InlineData("mkdir -p out; echo '{}' > out/config.json", "out")]
    [InlineData("ln -s /etc out", "through a link")]
    [InlineData("cp -r model out; head -c 2000 model/model.safetensors > out/model.safetensors", "model.safetensors")]
    public async Task Run_OutputThatIsNoModel_IsRefused(string script, string message)
    {
        var model = await _bench.AddModelAsync();

        var problem = await Should.ThrowAsync<UserInputException>(() => RunAsync(script, [new StepInput("base", "model", model)]));

        problem.Message.ShouldContain(message);
    }

    [Theory]
    [InlineData("../out")]
    [InlineData("/out")]
    [InlineData("model")]
    [InlineData("data/out")]
    [InlineData("")]
    public async Task Run_OutputElsewhere_IsRefusedBeforeTheProgramRuns(string folder)
    {
        var problem = await Should.ThrowAsync<UserInputException>(
            () => RunAsync("touch ran", options: new CommandOptions { Command = [], Outputs = new CommandOutputs { Model = folder } }));

        problem.Message.ShouldStartWith($"outputs.model is '{folder}'");
        Directory.GetFiles(_bench.Cache.FullName, "ran", SearchOption.AllDirectories).ShouldBeEmpty();
    }

    [Fact]
    public async Task Run_OptionsOfAJobOnThisMachine_AreRefused()
    {
        var options = new CommandOptions { Command = [], Outputs = new CommandOutputs { Model = "out" } };

        foreach (var wrong in new[] { options with { Image = "trainer@sha256:00" }, options with { Nodes = 2 }, options with { Gpus = 1 } })
            (await Should.ThrowAsync<UserInputException>(() => RunAsync("touch ran", options: wrong))).Message.ShouldContain("device: kubernetes");
        Directory.GetFiles(_bench.Cache.FullName, "ran", SearchOption.AllDirectories).ShouldBeEmpty();
    }

    [Fact]
    public async Task Run_UnknownProgram_SaysSo()
    {
        var context = _bench.Context(new CommandOptions { Command = ["no-such-program"], Outputs = new CommandOutputs { Model = "out" } }, []);

        var problem = await Should.ThrowAsync<UserInputException>(() => new CommandStage().RunAsync(context, default));

        problem.Message.ShouldContain("no program 'no-such-program'");
    }

    // A program that ignores the polite signal, with a grandchild, in its own session: all of it must be gone.
    [Fact]
    public async Task Run_Cancelled_EndsTheWholeGroupAndKeepsState()
    {
        using var stop = new CancellationTokenSource();
        var progress = new RecordedProgress { OnLine = line => { if (line.StartsWith("started", StringComparison.Ordinal)) stop.Cancel(); } };

        await Should.ThrowAsync<OperationCanceledException>(
            () => RunAsync("trap '' TERM; echo kept > state/at; sleep 1000 & echo started $$ $!; wait; wait", [], progress, null, stop.Token).WaitAsync(Limit));

        var processes = progress.Lines.Single(l => l.StartsWith("started", StringComparison.Ordinal)).Split(' ')[1..];
        foreach (var id in processes)
            await WaitForEndAsync(int.Parse(id, System.Globalization.CultureInfo.InvariantCulture));
        var resumed = new RecordedProgress();
        await Should.ThrowAsync<StageFailedException>(() => RunAsync("cat state/at; exit 1", progress: resumed));
        resumed.Lines.ShouldContain("kept", "what a program keeps in 'state' is there for the next attempt");
    }

    // Ctrl-C goes to every process of the terminal's group: neither the program nor its supervisor may be in ours.
    [Fact]
    public async Task Run_Program_IsOutOfReachOfOurTerminal()
    {
        var progress = new RecordedProgress();

        await Should.ThrowAsync<StageFailedException>(
            () => RunAsync("echo session $(cut -d' ' -f6 /proc/$$/stat) $(cut -d' ' -f6 /proc/$PPID/stat); exit 1", progress: progress));

        var sessions = progress.Lines.Single().Split(' ')[1..];
        sessions.Distinct().Count().ShouldBe(2);
        sessions.ShouldNotContain(File.ReadAllText("/proc/self/stat").Split(')')[^1].Split(' ')[4]);
    }

    // What a worker's death does: nobody is left to send a signal, and the pipe closes.
    [Fact]
    public async Task Supervisor_ItsParentDies_KillsTheGroup()
    {
        using var parent = Process.Start(new ProcessStartInfo(
            "sh", ["-c", "sleep 1000 | sh -c \"$0\" espalier sh -c 'echo $$; exec sleep 1000'", ProgramGroup.Supervisor]) { RedirectStandardOutput = true })!;
        var program = int.Parse((await parent.StandardOutput.ReadLineAsync())!, System.Globalization.CultureInfo.InvariantCulture);
        File.Exists($"/proc/{program}/stat").ShouldBeTrue();

        using (var killer = Process.Start("pkill", ["-KILL", "-P", $"{parent.Id}", "-x", "sleep"]))
            await killer.WaitForExitAsync().WaitAsync(Limit);

        await WaitForEndAsync(program);
    }

    // Debian's PyTorch, two processes over gloo, each with half of every batch: the same weights as one process with all of it.
    [Fact]
    public async Task Run_TorchTrainerOfTwoProcesses_MakesTheModelOfOne()
    {
        var inputs = new[]
        {
            new StepInput("base", "model", await _bench.AddModelAsync()), new StepInput("text", "data", await _bench.Training.AddRepetitiveDatasetAsync()),
        };

        var (two, one) = (await TrainAsync(2), await TrainAsync(1));

        (two.Metrics["processes"], one.Metrics["processes"]).ShouldBe((2, 1));
        two.Metrics["loss"].ShouldBe(one.Metrics["loss"], 1e-3);
        two.Metrics["loss"].ShouldBeLessThan(5.5, "it began at ln 257 = 5.55");
        var (ofTwo, ofOne) = (await EmbeddingAsync(two.Outputs["model"]), await EmbeddingAsync(one.Outputs["model"]));
        var before = await EmbeddingAsync(inputs[0].Artifact);
        ofTwo.Zip(ofOne).Max(p => Math.Abs(p.First - p.Second)).ShouldBeLessThan(1e-4f);
        ofTwo.Zip(before).Max(p => Math.Abs(p.First - p.Second)).ShouldBeGreaterThan(1e-3f, "it learnt");

        async Task<StageResult> TrainAsync(int processes)
        {
            var options = new CommandOptions
            {
                Command = ["/usr/bin/python3", Repository.PathOf("pipelines/trainers/olmoe_gloo.py"), "--processes", $"{processes}", "--steps", "4",
                    "--batch", "4", "--length", "16", "--rate", "0.01"],
                Outputs = new CommandOutputs { Model = "out" },
            };
            return await new CommandStage().RunAsync(_bench.Context(options, inputs), default);
        }

        async Task<float[]> EmbeddingAsync(ManifestRef model)
        {
            var reader = await CheckpointReader.OpenAsync(_bench.Training.Store, model, default);
            return MemoryMarshal.Cast<byte, float>(reader.ReadAll("model.embed_tokens.weight").AsSpan()).ToArray();
        }
    }

    [Fact]
    public async Task Run_EndlessLine_KeepsItsBeginning()
    {
        var progress = new RecordedProgress();

        await Should.ThrowAsync<StageFailedException>(() => RunAsync("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end; exit 1", progress: progress));

        progress.Lines.Count.ShouldBe(2);
        progress.Lines[0].Length.ShouldBeLessThan(1000);
        progress.Lines[1].ShouldBe("end");
    }

    private Task<StageResult> RunAsync(
        string script, IReadOnlyList<StepInput>? inputs = null, IStageProgress? progress = null, CommandOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        options ??= new CommandOptions { Command = [], Outputs = new CommandOutputs { Model = "out" } };
        var stage = new CommandStage(TimeSpan.FromSeconds(1), new KubernetesJobOptions(), TimeSpan.FromSeconds(1));
        return stage.RunAsync(_bench.Context(options with { Command = ["sh", "-c", script] }, inputs ?? [], progress), cancellationToken);
    }

    private static async Task WaitForEndAsync(int process)
    {
        for (var clock = Stopwatch.StartNew(); IsAlive(process); await Task.Delay(20))
            clock.Elapsed.ShouldBeLessThan(Limit, $"process {process} is still there");
    }

    private static bool IsAlive(int process)
    {
        try
        {
            return !File.ReadAllText($"/proc/{process}/stat").Split(')')[^1].StartsWith(" Z", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }
}
