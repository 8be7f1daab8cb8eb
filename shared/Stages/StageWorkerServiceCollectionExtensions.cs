using Espalier.Contracts;
using Espalier.Stages.Worker;
using Espalier.Stages.Worker.Isolation;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Espalier.Stages;

/// <summary>Registers the worker in any host.</summary>
public static class StageWorkerServiceCollectionExtensions
{
    /// <summary>
    /// Adds the worker, which offers every registered <see cref="IStage"/>. The host must also register an
    /// <see cref="Artifacts.ArtifactStore"/> and the bus.
    /// </summary>
    /// <exception cref="UserInputException">A setting is wrong.</exception>
    public static IServiceCollection AddStageWorker(this IServiceCollection services, StageWorkerOptions options)
    {
        options.Validate();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(options);
        services.AddSingleton<OfferedStages>().AddSingleton<OrchestratorClient>();
        if (options.Isolation == WorkIsolation.ChildProcess)
            services.AddSingleton<IStageRunner>(provider => new ChildProcessStageRunner(
                options.Classes.ToDictionary(c => c.Name, c => new WorkProcesses(
                    WorkProcess.OwnCommand(), provider.GetRequiredService<TimeProvider>(), WorkDevices.Of(c, options))),
                options, provider.GetRequiredService<OfferedStages>()));
        else
            services.AddSingleton<IStageRunner, InProcessStageRunner>();
        services.AddHostedService<EstimateListener>();
        services.AddSingleton<StageWorker>();
        services.AddHostedService(provider => provider.GetRequiredService<StageWorker>());
        services.AddHealthChecks().AddCheck<WorkerHealth>("worker", tags: ["ready"]);
        return services;
    }
}
