using Espalier.Artifacts;
using Espalier.CptTrainer;
using Espalier.Evaluator;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Text;
using Espalier.Contracts;
using Espalier.Pruner;
using Espalier.Quantizer;
using Espalier.Registry;
using Espalier.Stages;
using Espalier.Surgery.Estimates;
using Espalier.Upcycler;

namespace Espalier.Cli.Hosting;

/// <summary>Every stage of every service, in this process.</summary>
internal static class Stages
{
    /// <summary>Registers all stages.</summary>
    public static IServiceCollection AddAllStages(this IServiceCollection services, EspalierHome home) => services
        .AddSingleton(TimeProvider.System)
        .AddCptTrainer().AddUpcycler().AddPruner().AddQuantizer().AddEvaluator()
        .AddRegistry(new RegistryOptions { Database = home.Connection });

    /// <summary>The stages, without a host; creating them touches neither a database nor the tensor engine.</summary>
    public static IReadOnlyList<IStage> All(EspalierHome home) =>
        [.. new ServiceCollection().AddLogging().AddAllStages(home).BuildServiceProvider().GetServices<IStage>()];

    /// <summary>Estimates of all stages, without a host.</summary>
    /// <param name="home">The home.</param>
    /// <param name="store">Where models are that exist already; null when there is none.</param>
    public static StageEstimates Estimates(EspalierHome home, ArtifactStore? store) =>
        new(new ServiceCollection().AddLogging().AddAllStages(home).BuildServiceProvider().GetServices<IStageEstimate>(), store);

    /// <summary>Kind and option schema of each stage, for the planner.</summary>
    public static IReadOnlyList<StageDefinition> Definitions(IEnumerable<IStage> stages) =>
        [.. stages.Select(s => s.Definition())];

    /// <summary>The stage of a kind.</summary>
    /// <exception cref="UserInputException">There is none.</exception>
    public static IStage Find(IReadOnlyList<IStage> stages, string kind) =>
        stages.FirstOrDefault(s => s.Kind == kind)
            ?? throw new UserInputException($"unknown stage '{kind}': {NearestWord.Hint(kind, [.. stages.Select(s => s.Kind)])}");
}
