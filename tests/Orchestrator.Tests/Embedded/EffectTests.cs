using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Options;
using Espalier.Stages;
using Espalier.TestKit.Services.Embedded;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Orchestrator.Tests.Embedded;

/// <summary>An effect is made sure in every run; its inputs come from the cache.</summary>
public sealed class EffectTests
{
    private const string Yaml = "name: told\nstages:\n  a: { uses: noop, with: { text: one } }\n  tell: { uses: tell, needs: a }\n";

    [Fact]
    public async Task Run_SubmittedAgain_MakesTheEffectSureAndTakesTheRestFromTheCache()
    {
        var tell = new TellStage();
        await using var platform = await EmbeddedPlatform.StartAsync(services: services => services
            .AddSingleton<NoopHooks>().AddSingleton<IStage, NoopStage>().AddSingleton<IStage>(tell).AddSingleton<INumericsClass, Numerics>());

        var first = await platform.EndAsync(await platform.SubmitAsync(Yaml));
        var second = await platform.EndAsync(await platform.SubmitAsync(Yaml));

        first.State.ShouldBe(RunState.Succeeded, Describe(first));
        second.Steps.Select(s => s.State).ShouldBe([StepState.Cached, StepState.Succeeded], Describe(second));
        second.Steps[1].Outputs.ShouldBe(first.Steps[1].Outputs);
        tell.Told.ShouldBe(2);
    }

    private static string Describe(RunView run) => string.Join("; ", run.Steps.Select(s => $"{s.Name}: {s.State} {s.Message}"));

    private sealed record TellOptions
    {
        [Option("What it is told of.", Kind = OptionKind.Model)]
        public string? From { get; init; }
    }

    private sealed class TellStage : IStage
    {
        public int Told { get; private set; }

        public string Kind => "tell";

        public Type OptionsType => typeof(TellOptions);

        public StageTraits Traits { get; } = new() { Outputs = [], IsEffect = true };

        public Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken)
        {
            Told++;
            return Task.FromResult(new StageResult { Outputs = new Dictionary<string, ManifestRef> { [OutputNames.Model] = context.Model() } });
        }
    }

    private sealed class Numerics : INumericsClass
    {
        public string Value => "test";
    }
}
