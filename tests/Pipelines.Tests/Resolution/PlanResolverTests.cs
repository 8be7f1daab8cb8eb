using System.Text.Json;
using Espalier.Contracts;
using Espalier.Pipelines.Keys;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Resolution;

namespace Espalier.Pipelines.Tests.Resolution;

/// <summary>From a plan to decisions, reasons and costs, with a store and workers made up.</summary>
public sealed class PlanResolverTests : IStageCodes, IStepResults, IStepEstimator, IStepRooms
{
    private const string Yaml = """
        name: a
        stages:
          base: { uses: train, with: { data: corpus:x, tokens: 1k } }
          slim: { uses: prune, needs: base, with: { ratio: 0.5 } }
          scores: { uses: evaluate, needs: [base, slim], with: { data: corpus:x } }
          release: { uses: register, needs: [slim, scores], when: "scores.loss < 1", with: { name: demo } }
        """;

    private static readonly ManifestRef Text = new(ArtifactKind.Dataset, Digest.Of("text"u8), 10);
    private static readonly ManifestRef Weights = new(ArtifactKind.Checkpoint, Digest.Of("weights"u8), 100);
    private readonly HashSet<string> _offered = ["dataset", "train", "prune", "evaluate", "register"];
    private readonly Dictionary<Digest, StepOutcome> _results = [];
    private readonly List<EstimateStep> _asked = [];
    private readonly List<PastStep> _past = [];
    private string? _refused;
    private long? _room;

    [Fact]
    public async Task Resolve_NothingKnown_EverythingRunsWithItsCosts()
    {
        var plan = await ResolveAsync();

        Decisions(plan).ShouldBe("data-x=runs base=runs slim=runs scores=runs release=conditional");
        plan.Steps.ShouldAllBe(s => s.Reason == "never ran");
        (plan.NewBytes, plan.MemoryBytes).ShouldBe((50, 1000));
        plan.Steps.Single(s => s.Name == "base").Key.ShouldBeNull("its text is not made yet");
        _asked.Single(a => a.Name == "slim").Inputs.Single().Model!.Value.GetString()
            .ShouldBe("model of base", "costs follow from what the step before would make");
    }

    [Fact]
    public async Task Resolve_ResultsExist_AreFollowedAsFarAsTheyGo()
    {
        await MadeAsync("data-x", new StepOutcome(Outputs(("data", Text)), Metrics()));
        await MadeAsync("base", new StepOutcome(Outputs(("model", Weights)), Metrics()));

        var plan = await ResolveAsync();

        Decisions(plan).ShouldBe("data-x=cached base=cached slim=runs scores=runs release=conditional");
        plan.Steps.Single(s => s.Name == "base").SharedBytes.ShouldBe(100);
        _asked.Single(a => a.Name == "base").Made.ShouldBe(Weights.Root, "what exists is described, not estimated");
        _asked.Single(a => a.Name == "slim").Inputs.Single().Root.ShouldBe(Weights.Root);
    }

    [Fact]
    public async Task Resolve_ConditionOnCachedMetrics_IsDecided()
    {
        await MadeAsync("data-x", new StepOutcome(Outputs(("data", Text)), Metrics()));
        await MadeAsync("base", new StepOutcome(Outputs(("model", Weights)), Metrics()));
        await MadeAsync("slim", new StepOutcome(Outputs(("model", Weights)), Metrics()));
        await MadeAsync("scores", new StepOutcome(Outputs(("report", Text)), Metrics(("loss", 2))));

        var release = (await ResolveAsync()).Steps.Single(s => s.Name == "release");

        (release.Decision, release.Reason).ShouldBe((StepDecision.Skipped, "its condition is false: scores.loss < 1"));
    }

    [Fact]
    public async Task Resolve_Refusal_SkipsWhatNeedsIt()
    {
        _refused = "slim";

        var plan = await ResolveAsync();

        Decisions(plan).ShouldBe("data-x=runs base=runs slim=refused scores=skipped release=skipped");
        plan.Steps.Select(s => s.Reason).Skip(2).ShouldBe(["no experts left", "needs 'slim', which is refused", "needs 'slim', which is refused"]);
    }

    [Theory]
    [InlineData(1000, "runs", "never ran")]
    [InlineData(999, "refused", "it needs about 0.0 GiB of memory, and nobody has that. With 'batch: 1' it would need about 0.0 GiB.")]
    [InlineData(99, "refused",
        "it needs about 0.0 GiB of memory, and nobody has that. No option of the step makes it fit: take a smaller model, or a machine with more memory.")]
    public async Task Resolve_StepWithoutRoom_IsRefusedWithTheOptionThatWouldFit(long room, string decision, string reason)
    {
        _room = room;

        var plan = await ResolveAsync();

        Decisions(plan).ShouldStartWith($"data-x={decision} ");
        (plan.Steps[0].Reason, plan.Steps[0].MemoryBytes).ShouldBe((reason, 1000));
    }

    [Fact]
    public async Task Resolve_KindThatNobodyOffers_WaitsAndItsFollowersHaveNoCosts()
    {
        _offered.Remove("train");

        var plan = await ResolveAsync();

        var (base_, slim) = (plan.Steps.Single(s => s.Name == "base"), plan.Steps.Single(s => s.Name == "slim"));
        (base_.IsOffered, base_.Reason).ShouldBe((false, "no worker offers 'train' on cpu now"));
        (slim.Decision, slim.NewBytes).ShouldBe((StepDecision.Runs, null), "an unknown model is no reason to refuse it");
    }

    [Fact]
    public async Task Resolve_LikeWorkWasDone_NamesWhatChangedAndScalesItsTime()
    {
        await MadeAsync("data-x", new StepOutcome(Outputs(("data", Text)), Metrics()));
        await MadeAsync("base", new StepOutcome(Outputs(("model", Weights)), Metrics()));
        var key = await KeyOfAsync("slim");
        _past.Add(new PastStep
        {
            Step = "slim",
            Kind = "prune",
            Key = key with { Options = JsonSerializer.SerializeToElement(new { method = "random", ratio = 0.25, keep = Array.Empty<int>() }) },
            Started = DateTimeOffset.UnixEpoch,
            Duration = TimeSpan.FromSeconds(10),
        });

        var slim = (await ResolveAsync()).Steps.Single(s => s.Name == "slim");

        slim.Reason.ShouldBe("options.ratio: 0.25 before, 0.5 now");
        slim.Seconds.ShouldBe(20, "half the ratio was half the arithmetic");
    }

    [Fact]
    public async Task Resolve_StepOfARun_ReadsOnlyWhatItNeeds()
    {
        var step = Plan().Steps.Single(s => s.Name == "slim");
        var made = new Dictionary<string, StepOutcome?> { ["base"] = new(Outputs(("report", Text)), Metrics()) };

        (await Should.ThrowAsync<UserInputException>(() => Resolver().ResolveAsync(step, made, default))).Message
            .ShouldBe("Step 'slim' reads 'base.model', but that step made only report.");
        (await Should.ThrowAsync<UserInputException>(() => Resolver().ResolveAsync(step, new Dictionary<string, StepOutcome?>(), default))).Message
            .ShouldBe("Step 'slim' reads 'base.model', but does not need that step.");
    }

    ValueTask<StageCode?> IStageCodes.FindAsync(string kind, string device, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_offered.Contains(kind) ? new StageCode(kind, "v", "cpu", SampleStages.All.Single(s => s.Kind == kind).Traits) : null);

    Task<StoredResult> IStepResults.FindAsync(Digest key, CancellationToken cancellationToken) =>
        Task.FromResult(new StoredResult(_results.GetValueOrDefault(key)));

    Task<StepEstimated?> IStepEstimator.EstimateAsync(StageCode code, EstimateStep step, CancellationToken cancellationToken)
    {
        _asked.Add(step);
        return Task.FromResult<StepEstimated?>(step.Name == _refused
            ? new StepEstimated { Refusal = "no experts left" }
            : new StepEstimated
            {
                Model = JsonSerializer.SerializeToElement($"model of {step.Name}"), NewBytes = 10, MemoryBytes = 1000,
                Smaller = [new SmallerStep("'recompute: true'", 1000), new SmallerStep("'batch: 1'", 100)],
                Operations = step.Options.TryGetProperty("ratio", out var ratio) ? ratio.GetDouble() : 1,
            });
    }

    Task<StepRoom?> IStepRooms.FindAsync(string device, CancellationToken cancellationToken) =>
        Task.FromResult(_room is { } bytes ? new StepRoom(bytes, "nobody has that") : null);

    private static string Decisions(ResolvedPlan plan) =>
        string.Join(' ', plan.Steps.Select(s => $"{s.Name}={JsonSerializer.SerializeToElement(s.Decision, WireJson.Options).GetString()}"));

    private static Dictionary<string, ManifestRef> Outputs(params (string Name, ManifestRef Artifact)[] outputs) =>
        outputs.ToDictionary(o => o.Name, o => o.Artifact);

    private static Dictionary<string, double> Metrics(params (string Name, double Value)[] metrics) => metrics.ToDictionary(m => m.Name, m => m.Value);

    private static PipelinePlan Plan() =>
        PipelinePlanner.Plan(Yaml, "p.yaml", new Dictionary<string, string>(), new PlanningContext { Stages = SampleStages.All });

    private PlanResolver Resolver() => new(this, this, this, new PastSteps(_past), this);

    private Task<ResolvedPlan> ResolveAsync() => Resolver().ResolveAsync(Plan(), default);

    /// <summary>Puts a result into the store under the key that the step has now.</summary>
    private async Task MadeAsync(string step, StepOutcome outcome)
    {
        _results[(await KeyOfAsync(step)).ToDigest()] = outcome;
        _asked.Clear();
    }

    private async Task<StepKey> KeyOfAsync(string step)
    {
        var upstream = new Dictionary<string, StepOutcome?>();
        foreach (var planned in Plan().Steps)
        {
            var resolution = await Resolver().ResolveAsync(planned, upstream, default);
            if (planned.Name == step)
                return resolution.Key!;
            upstream[planned.Name] = resolution.Outcome;
        }
        throw new ArgumentException(step);
    }
}
