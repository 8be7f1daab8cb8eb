using System.Globalization;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Distributed;

namespace Espalier.Integration.Tests.Distributed;

/// <summary>Two or three workers train one model, each a process; one of them gets SIGKILL in the middle of a round.</summary>
[Collection(ServersCollection.Name)]
public sealed class When_a_team_loses_a_member(BrokerAndDatabase servers)
{
    private const string First = "shared";
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    [Theory]
    [InlineData(3, "shared-worker-3")]
    [InlineData(2, First)]
    public async Task The_model_has_the_bits_of_one_that_one_process_made(int workers, string killed)
    {
        // Rounds are short, so that there are many to be killed in.
        var yaml = string.Create(CultureInfo.InvariantCulture, $$"""
            name: team
            stages:
              {{First}}:
                uses: train
                with:
                  model: { family: olmoe, layers: 2, hidden: 64, heads: 2, experts: 8, top-k: 2, expert-size: 64, vocabulary: bytes }
                  data: corpus:tiny
                  tokens: 192k
                  length: 128
                  batch: 8
                  workers: {{workers}}
                  synchronise-steps: 5
            """);
        var file = Path.Combine(Path.GetTempPath(), $"team-{Guid.NewGuid():n}.yaml");
        await File.WriteAllTextAsync(file, yaml);
        var alone = await EmbeddedRun.RunAsync(file, Limit);
        File.Delete(file);
        await using var platform = await DistributedPlatform.StartAsync(servers);
        var names = Enumerable.Range(0, 1 + workers).Select(i => $"trainer-{i}").ToList(); // one of them trains 'base'
        var trainers = await Task.WhenAll(names.Select(name => platform.StartWorkerAsync("services/CptTrainer", ("worker:name", name))));
        await platform.StagesAsync(StageKinds.Train);

        var run = await platform.SubmitAsync(yaml);
        var view = await platform.WaitAsync(
            run, v => Step(v, First) is { Done: > 0 } first && (Step(v, killed).State == StepState.Running || first.State != StepState.Running), Limit);
        Step(view, killed).State.ShouldBe(StepState.Running, "all was done before the worker came");
        await trainers[names.IndexOf(Step(view, killed).Worker!)].KillAsync();
        var ended = await platform.EndAsync(run, Limit);

        ended.State.ShouldBe(RunState.Succeeded, platform.Log);
        Step(ended, killed).Attempts.ShouldBeGreaterThan(1);
        Step(ended, First).Outputs.ShouldBe(alone.Steps.Single(s => s.Name == First).Outputs, ignoreOrder: true);
        Step(ended, First).Metrics["synchronisations"].ShouldBeGreaterThan(1);
    }

    private static StepView Step(RunView run, string name) => run.Steps.Single(step => step.Name == name);
}
