using System.Diagnostics;
using Espalier.Contracts;
using Espalier.CptTrainer.Commands;
using Espalier.Stages;
using Espalier.Stages.Worker;
using k8s.Models;

namespace Espalier.CptTrainer.Tests.Commands;

/// <summary>Programs as Jobs of a cluster, against <see cref="ClusterStandIn"/>.</summary>
public sealed class KubernetesJobTests : IAsyncLifetime
{
    private const string Image = "trainers/olmoe@sha256:0000000000000000000000000000000000000000000000000000000000000000";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly CommandBench _bench = new();
    private ClusterStandIn _cluster = null!;

    public async Task InitializeAsync() => _cluster = await ClusterStandIn.StartAsync();

    public async Task DisposeAsync()
    {
        await _cluster.DisposeAsync();
        _bench.Dispose();
    }

    [Fact]
    public async Task Run_TwoNodes_ShareTheFolderAndMakeOneModel()
    {
        var progress = new RecordedProgress();
        var model = await _bench.AddModelAsync();

        var result = await RunAsync(
            """
            set -e
            echo "rank $NODE_RANK of $NNODES at $MASTER_ADDR:$MASTER_PORT, $WHO, argument $1"
            echo "{\"phase\":\"training\",\"done\":1,\"total\":2,\"unit\":\"steps\",\"loss\":$((2 + NODE_RANK))}"
            touch ready-$NODE_RANK
            while ! test -e ready-0 -a -e ready-1; do sleep 0.05; done
            if [ $NODE_RANK = 0 ]; then cp -r model out; fi
            """, [new StepInput("base", "model", model)], progress,
            options => options with { Nodes = 2, Gpus = 4, Environment = new Dictionary<string, string> { ["WHO"] = "a test", ["MASTER_PORT"] = "1234" } });

        result.Metrics.ShouldBe(new Dictionary<string, double> { ["loss"] = 2 }, "node 0 speaks for all");
        (await _bench.Training.Store.ReadAsync(result.Outputs[OutputNames.Model].Root, default)).Parents.Single().Manifest.ShouldBe(model.Root);
        var job = _cluster.Made.Single();
        var name = job.Metadata.Name;
        progress.Lines.ShouldContain($"rank 0 of 2 at {name}-0.{name}:1234, a test, argument 0");
        progress.Phases.ShouldContain(("training", 1, 2, "steps"));
        (job.Spec.Completions, job.Spec.Parallelism, job.Spec.CompletionMode, job.Spec.BackoffLimit).ShouldBe((2, 2, "Indexed", 0));
        var pod = job.Spec.Template.Spec;
        (pod.Subdomain, pod.RestartPolicy, pod.AutomountServiceAccountToken).ShouldBe((name, "Never", false));
        pod.Containers.Single().Resources.Limits["nvidia.com/gpu"].ToString().ShouldBe("4");
        var service = _cluster.Services.Single();
        service.Spec.Selector.ShouldBe(new Dictionary<string, string> { ["batch.kubernetes.io/job-name"] = name });
        service.Metadata.OwnerReferences.Single().Uid.ShouldNotBeNullOrEmpty();
        _cluster.IsEmpty.ShouldBeTrue("a Job that ended well is removed");
        Directory.GetDirectories(Path.Combine(_cluster.Volume, "commands")).ShouldBeEmpty();
    }

    [Fact]
    public async Task Run_Template_IsFilledIn()
    {
        var template = Path.Combine(_cluster.Volume, "template.yaml");
        await File.WriteAllTextAsync(template, """
            metadata: { labels: { team: research } }
            spec:
              nodeSelector: { pool: a100 }
              securityContext: { runAsUser: 1654 }
              containers:
                - name: program
                  env: [{ name: NCCL_DEBUG, value: WARN }]
                  resources: { limits: { memory: 64Gi } }
            """);

        await RunAsync("test \"$NCCL_DEBUG\" = WARN && cp -r model out", [new StepInput("base", "model", await _bench.AddModelAsync())],
            change: options => options with { Gpus = 1 }, settings: settings => settings.Template = template);

        var pod = _cluster.Made.Single().Spec.Template;
        pod.Metadata.Labels["team"].ShouldBe("research");
        pod.Spec.NodeSelector["pool"].ShouldBe("a100");
        pod.Spec.SecurityContext.RunAsUser.ShouldBe(1654);
        var container = pod.Spec.Containers.Single();
        container.Image.ShouldBe(Image);
        container.Resources.Limits.Keys.ShouldBe(["memory", "nvidia.com/gpu"], ignoreOrder: true);
        _cluster.Services.ShouldBeEmpty("one node has nobody to find");
    }

    [Fact]
    public async Task Run_OneNodeFails_SaysWhichAndWhatItSaid()
    {
        var failed = await Should.ThrowAsync<StageFailedException>(() => RunAsync(
            "if [ $NODE_RANK = 1 ]; then echo 'NCCL error: unhandled system error'; exit 7; fi; sleep 1000", change: options => options with { Nodes = 2 }));

        failed.Message.ShouldBe("The program 'sh' ended with exit code 7 on node 1 of 2. It last said: NCCL error: unhandled system error");
        failed.Failure.ShouldBe(FailureClass.Transient);
    }

    [Fact]
    public async Task Run_OutOfMemory_IsAFailureOfResources()
    {
        var failed = await Should.ThrowAsync<StageFailedException>(() => RunAsync("exit 137"));

        failed.Failure.ShouldBe(FailureClass.Resource, failed.Message);
    }

    [Fact]
    public async Task Run_Cancelled_EndsThePodsAndKeepsState()
    {
        using var stop = new CancellationTokenSource();
        var progress = new RecordedProgress { OnLine = line => { if (line == "started") stop.Cancel(); } };

        await Should.ThrowAsync<OperationCanceledException>(
            () => RunAsync("echo $$ > state/process; echo started; sleep 1000", progress: progress, cancellationToken: stop.Token).WaitAsync(Limit));

        _cluster.IsEmpty.ShouldBeTrue();
        var again = new RecordedProgress();
        await Should.ThrowAsync<StageFailedException>(() => RunAsync("kill -0 $(cat state/process) || echo gone; exit 1", progress: again));
        again.Lines.ShouldContain("gone");
    }

    [Fact]
    public async Task Run_LongerThanItsLease_GoesOn()
    {
        var result = await RunAsync("sleep 4; cp -r model out", [new StepInput("base", "model", await _bench.AddModelAsync())],
            settings: settings => settings.Lease = TimeSpan.FromSeconds(2));

        result.Outputs.ShouldContainKey(OutputNames.Model);
    }

    // The worker is alive, and cut off: it gives up, and the cluster ends the Job.
    [Fact]
    public async Task Run_ClusterDoesNotAnswer_GivesUpWhenTheLeaseIsOver()
    {
        var progress = new RecordedProgress { OnLine = line => { if (line == "started") _cluster.Refusal = 503; } };

        var failed = await Should.ThrowAsync<StageFailedException>(() => RunAsync(
            "echo started; sleep 1000", progress: progress, settings: settings => settings.Lease = TimeSpan.FromSeconds(2)).WaitAsync(Limit));

        failed.Message.ShouldStartWith("The cluster has not answered for 2 s");
        _cluster.Refusal = 0;
        // The next attempt ends what is left before it begins.
        await Should.ThrowAsync<StageFailedException>(() => RunAsync("exit 1").WaitAsync(Limit));
        _cluster.Made.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Run_ClusterIsAwayForAMoment_LosesNoLine()
    {
        _cluster.BreakLogsAfter = 40;
        var progress = new RecordedProgress { OnLine = line => { if (line == "line 30") _ = AwayAsync(); } };

        await Should.ThrowAsync<StageFailedException>(() => RunAsync(
            "i=1; while [ $i -le 100 ]; do echo line $i; i=$((i+1)); sleep 0.02; done; exit 1", progress: progress).WaitAsync(Limit));

        var lines = progress.Lines.Where(l => l.StartsWith("line ", StringComparison.Ordinal)).ToList();
        lines.ShouldBe(Enumerable.Range(1, lines.Count).Select(i => $"line {i}"), "none is missing, none is there twice");
        lines.Count.ShouldBeGreaterThanOrEqualTo(40);

        async Task AwayAsync()
        {
            _cluster.Refusal = 503;
            await Task.Delay(700);
            (_cluster.BreakLogsAfter, _cluster.Refusal) = (0, 0);
        }
    }

    [Theory]
    [InlineData("InvalidImageName", "couldn't parse image name")]
    [InlineData("CreateContainerConfigError", "secret \"x\" not found")]
    public async Task Run_ImageThatCannotStart_IsRefusedWithTheClustersWords(string reason, string message)
    {
        _cluster.Waiting = new V1ContainerStateWaiting { Reason = reason, Message = message };

        var problem = await Should.ThrowAsync<UserInputException>(() => RunAsync("true").WaitAsync(Limit));

        problem.Message.ShouldContain($"{reason}: {message}");
        _cluster.IsEmpty.ShouldBeTrue();
    }

    [Fact]
    public async Task Run_NoRoomYet_SaysWhyItWaits()
    {
        _cluster.Waiting = new V1ContainerStateWaiting { Reason = "Unschedulable", Message = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu" };
        var progress = new RecordedProgress { OnLine = line => { if (line.StartsWith("Unschedulable", StringComparison.Ordinal)) _cluster.Waiting = null; } };

        await RunAsync("cp -r model out", [new StepInput("base", "model", await _bench.AddModelAsync())], progress).WaitAsync(Limit);

        progress.Lines.ShouldContain("Unschedulable: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu");
        progress.Phases.ShouldContain(("waiting for 1 of 1 node(s)", 0, 0, ""));
    }

    [Fact]
    public async Task Run_WorkerWithoutTheRole_SaysWhichItNeeds()
    {
        _cluster.Refusal = 403;

        var failed = await Should.ThrowAsync<StageFailedException>(() => RunAsync("true").WaitAsync(Limit));

        failed.Message.ShouldContain("Its service account needs the role");
    }

    // While the Job is made, there is nothing yet to wait for: the attempt fails, and the next one begins anew.
    [Fact]
    public async Task Run_ClusterGoesAwayWhileTheJobIsMade_IsAnotherAttempts()
    {
        _cluster.RefusesJobs = true;

        var failed = await Should.ThrowAsync<StageFailedException>(() => RunAsync("true").WaitAsync(Limit));

        (failed.Failure, failed.Message).ShouldBe((FailureClass.Transient, "The cluster did not run the Job: etcdserver: request timed out"));
        _cluster.IsEmpty.ShouldBeTrue();
    }

    [Fact]
    public async Task Run_WrongClaim_IsSaidAsTheClusterSaysIt()
    {
        var problem = await Should.ThrowAsync<UserInputException>(() => RunAsync("true", settings: settings => settings.Claim = "other"));

        problem.Message.ShouldBe("The cluster refuses the Job: persistentvolumeclaim \"other\" not found");
    }

    [Fact]
    public async Task Run_ImageByTagAlone_IsRefused()
    {
        var problem = await Should.ThrowAsync<UserInputException>(() => RunAsync("true", change: options => options with { Image = "trainers/olmoe:latest" }));

        problem.Message.ShouldContain("'version'");
        _cluster.Made.ShouldBeEmpty();
    }

    [Fact]
    public async Task Run_TemplateThatIsNone_NamesTheSettingAndTheFile()
    {
        var template = Path.Combine(_cluster.Volume, "template.yaml");
        await File.WriteAllTextAsync(template, "spec: { nodeSelektor: { pool: a100 } }");

        var failed = await Should.ThrowAsync<StageFailedException>(() => RunAsync("true", settings: settings => settings.Template = template));

        failed.Message.ShouldContain("worker:jobs:template");
        failed.Message.ShouldContain("nodeSelektor");
    }

    private Task<StageResult> RunAsync(
        string script, IReadOnlyList<StepInput>? inputs = null, IStageProgress? progress = null, Func<CommandOptions, CommandOptions>? change = null,
        Action<KubernetesJobOptions>? settings = null, CancellationToken cancellationToken = default)
    {
        var options = new CommandOptions
        {
            Command = ["sh", "-c", script, "sh", "$(NODE_RANK)"], Outputs = new CommandOutputs { Model = "out" }, Image = Image,
        };
        var jobs = new KubernetesJobOptions { Claim = ClusterStandIn.Claim, Folder = _cluster.Volume, Kubeconfig = _cluster.Kubeconfig };
        settings?.Invoke(jobs);
        var stage = new CommandStage(TimeSpan.FromSeconds(2), jobs, TimeSpan.FromMilliseconds(100));
        return stage.RunAsync(_bench.Context(change?.Invoke(options) ?? options, inputs ?? [], progress, DeviceNames.Kubernetes), cancellationToken);
    }
}
