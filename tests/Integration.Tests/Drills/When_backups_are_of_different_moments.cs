using System.Text.Json;
using Espalier.Contracts;
using Espalier.Integration.Tests.Distributed;
using Espalier.Orchestrator.Ledger;
using Espalier.Stages.Worker;
using Espalier.TestKit.Servers;
using Xunit.Abstractions;
using static Espalier.Integration.Tests.Drills.DrillSite;

namespace Espalier.Integration.Tests.Drills;

/// <summary>
/// A site is lost, and comes back from copies of the databases and of the store that were made at different moments of one run. Which
/// moment it is, is decided by which workers are there: without one, a step waits.
/// </summary>
[Collection(ServersCollection.Name)]
public sealed class When_backups_are_of_different_moments(BrokerAndDatabase servers, ITestOutputHelper output)
{
    private static readonly string[] Registered = ["early", "release"];
    private readonly DrillReport _report = new(output);

    [Fact]
    public async Task Database_is_older_than_the_store_nothing_is_missing_and_nothing_is_computed_again()
    {
        await using var site = await StartAsync(DrillStore.Azurite);
        var run = await BeginAsync(site);
        await site.DumpDatabasesAsync();
        _report.Done("databases dumped; the run has one of its six results");
        await site.StartAsync(TheUpcycler, TheEvaluator);
        var undisturbed = await site.EndAsync(run);
        var computed = await ComputedAsync(site, undisturbed);
        _report.Done("the undisturbed run ended");

        await site.KillAsync();
        await site.RestoreDatabasesAsync();
        _report.Done("every service killed, databases restored");
        var repair = await site.Cli.AskAsync("repair", "--json");
        _report.Done("espalier repair");
        repair.GetProperty("ok").GetBoolean().ShouldBeTrue($"{repair}");
        string.Join(' ', Find(repair, "result-unknown", "step").Order()).ShouldBe("cpt early release scores", "'grown' waits under its key already");
        await site.StartAsync(TheOrchestrator, TheTrainer, TheUpcycler, TheEvaluator, TheRegistry);
        _report.Done("services started");
        var ended = await site.EndAsync(run);
        _report.Done("the run ended");

        Roots(ended).ShouldBe(Roots(undisturbed));
        ended.Steps.Where(s => s.State == StepState.Cached).Select(s => s.Name).ShouldBe(["cpt", "scores"], "results are found by their keys");
        (await ComputedAsync(site, ended)).ShouldBe(computed, "whoever took the step 'grown' found its result, too");
        await RegisteredAsync(site, undisturbed);
        _report.End("nothing; nothing computed again");
    }

    [Theory]
    [InlineData(DrillStore.Files)]
    [InlineData(DrillStore.Azurite)]
    public async Task Store_is_older_than_the_database_what_is_missing_is_named_and_made_again(DrillStore store)
    {
        await using var site = await StartAsync(store);
        var run = await BeginAsync(site);
        await site.CopyStoreAsync();
        _report.Done("store copied; the run has one of its six results");
        await site.StartAsync(TheUpcycler);
        await site.WaitForStepAsync(run, "cpt", StepState.Succeeded);
        await site.WaitForStepAsync(run, "early", StepState.Succeeded);
        await site.DumpDatabasesAsync();
        _report.Done("databases dumped; the run has four of its six results and one version");
        await site.StartAsync(TheEvaluator);
        var undisturbed = await site.EndAsync(run);
        _report.Done("the undisturbed run ended");

        await site.KillAsync();
        await site.RestoreDatabasesAsync();
        await site.RestoreStoreAsync();
        _report.Done("every service killed, databases and store restored");
        var looked = JsonSerializer.Deserialize<JsonElement>(await site.Cli.CallAsync(1, "repair", "--dry-run", "--json"));
        Find(looked, "result-lost", "step").ShouldBe(["grown", "cpt"]);
        Find(looked, "version-incomplete", "model").ShouldBe(["drill"]);
        looked.GetProperty("findings").EnumerateArray().ShouldAllBe(f => !f.GetProperty("is-done").GetBoolean());
        var repaired = JsonSerializer.Deserialize<JsonElement>(await site.Cli.CallAsync(1, "repair", "--json"));
        _report.Done("espalier repair, dry and in earnest");
        Find(repaired, "result-lost", "step").ShouldBe(["grown", "cpt"], "the dry run has changed nothing");
        repaired.GetProperty("findings").EnumerateArray().Where(f => f.GetProperty("is-missing").GetBoolean())
            .ShouldAllBe(f => f.GetProperty("is-done").GetBoolean());
        await site.StartAsync(TheOrchestrator, TheTrainer, TheUpcycler, TheEvaluator, TheRegistry);
        _report.Done("services started");
        var ended = await site.EndAsync(run);
        _report.Done("the run ended");

        Roots(ended).ShouldBe(Roots(undisturbed), "the same steps make the same bytes");
        ended.Steps.Where(s => s.Attempts > 1).Select(s => s.Name).ShouldBe(["grown", "cpt"], "nothing else was done again");
        await RegisteredAsync(site, undisturbed);
        var after = await site.Cli.AskAsync("repair", "--json");
        Find(after, "version-whole", "model").ShouldBe(["drill"], "its flag is taken away");
        (await site.Cli.AskAsync("fsck", "--json")).GetProperty("ok").GetBoolean().ShouldBeTrue();
        _report.End("nothing; two steps computed again");
    }

    private async Task<DrillSite> StartAsync(DrillStore store)
    {
        var site = await CreateAsync(servers, store);
        await site.StartAsync(TheOrchestrator, TheTrainer, TheUpcycler, TheEvaluator, TheRegistry);
        await site.WaitForStagesAsync(StageKinds.Train, StageKinds.Upcycle, StageKinds.Evaluate, StageKinds.Register);
        await site.KillAsync(TheUpcycler, TheEvaluator);
        _report.Done("services started; upcycler and evaluator are away again");
        return site;
    }

    /// <summary>When each step that computes was last computed.</summary>
    private static async Task<List<string>> ComputedAsync(DrillSite site, RunView run)
    {
        var computed = new List<string>();
        foreach (var step in run.Steps.Where(s => !Registered.Contains(s.Name)))
            computed.Add($"{step.Name} {(await StepReceipt.FindAsync(site.Artifacts, step.Key!.Value, default))!.Started:O}");
        return computed;
    }

    /// <summary>Starts a run whose first step is done, and whose second is ready and has no worker.</summary>
    private static async Task<Guid> BeginAsync(DrillSite site)
    {
        var run = await site.SubmitAsync(
            $$"""
            name: drill
            params: { text: "file:{{site.TextFile}}" }
            stages:
              base:
                uses: train
                with: { model: { family: olmoe, layers: 2, hidden: 32, heads: 2, experts: 4, top-k: 2, expert-size: 32, vocabulary: bytes },
                        data: "${text}", tokens: 2k, length: 32, batch: 4, seed: 7 }
              grown: { uses: upcycle, needs: base, with: { method: copy, multiplier: 2, router: { method: copy-noise }, seed: 7 } }
              early: { uses: register, needs: grown, with: { name: drill, alias: candidate } }
              cpt: { uses: train, needs: grown, with: { data: "${text}", tokens: 1k, length: 32, batch: 4, seed: 7 } }
              scores: { uses: evaluate, needs: cpt, with: { tasks: [validation-loss], data: "${text}", length: 32, max-documents: 6, xz: false } }
              release: { uses: register, needs: [cpt, scores], with: { name: drill, alias: champion } }
            """);
        await site.WaitForStepAsync(run, "grown", StepState.Ready);
        return run;
    }

    /// <summary>Both versions are there, with the roots of the undisturbed run and their aliases.</summary>
    private static async Task RegisteredAsync(DrillSite site, RunView undisturbed)
    {
        var models = (await site.Cli.AskAsync("repair", "--dry-run", "--json")).GetProperty("versions").GetInt32();
        models.ShouldBe(Registered.Length);
        foreach (var (alias, step) in new[] { ("candidate", "grown"), ("champion", "cpt") })
        {
            (await site.Cli.AskAsync("verify", $"drill@{alias}", "--json")).GetProperty("root").GetString()
                .ShouldBe(undisturbed.Steps.Single(s => s.Name == step).Outputs[OutputNames.Model].Root.Hex, alias);
        }
    }

    private static IEnumerable<string> Find(JsonElement outcome, string kind, string member) =>
        outcome.GetProperty("findings").EnumerateArray().Where(f => f.GetProperty("kind").GetString() == kind).Select(f => f.GetProperty(member).GetString()!);

    private static IEnumerable<string> Roots(RunView run) => run.Steps.Select(
        s => $"{s.Name} {s.Key?.Hex} {string.Join(' ', s.Outputs.OrderBy(o => o.Key, StringComparer.Ordinal).Select(o => $"{o.Key}={o.Value.Root.Hex}"))}");
}
