using Espalier.CptTrainer.Commands;
using Espalier.Stages;
using Espalier.Stages.Worker;
using Espalier.Surgery;
using Espalier.Surgery.Estimates;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Espalier.CptTrainer;

/// <summary>Wiring of the trainer service.</summary>
public static class ServiceCollectionExtensions
{
    /// <summary>Adds the stages <c>dataset</c>, <c>train</c> and <c>command</c>.</summary>
    public static IServiceCollection AddCptTrainer(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddTorchEngine();
        services.AddSingleton<IStage, DatasetStage>(_ => new DatasetStage());
        services.AddSingleton<IStage, TrainStage>();
        services.AddSingleton<IStage, CommandStage>(provider => new CommandStage(provider.GetService<StageWorkerOptions>()?.Jobs));
        services.AddStageEstimate<TrainEstimate>();
        return services;
    }
}
