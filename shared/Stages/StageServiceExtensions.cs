using Espalier.Artifacts;
using Espalier.Messaging;
using Espalier.Stages.Worker;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Espalier.Stages;

/// <summary>What makes a process a stage service.</summary>
public static class StageServiceExtensions
{
    /// <summary>Adds the stages, the artifact store, the bus and the worker, by configuration (sections store, messaging, worker).</summary>
    /// <exception cref="Contracts.UserInputException">A setting is wrong.</exception>
    public static IHostApplicationBuilder AddStageService(
        this IHostApplicationBuilder builder, Action<IServiceCollection> stages, Action<IBusRegistrationConfigurator>? consumers = null)
    {
        stages(builder.Services);
        var worker = Settings.Read<StageWorkerOptions>(builder.Configuration, StageWorkerOptions.Section);
        if (builder.Configuration.GetSection(StageWorkerOptions.Section)["isolation"] is null)
            worker.Isolation = WorkIsolation.ChildProcess;
        worker.CheckFiles();
        builder.Services
            .AddArtifactStore(Settings.Read<StoreOptions>(builder.Configuration, StoreOptions.Section))
            .AddEspalierBus(Settings.Read<MessagingOptions>(builder.Configuration, MessagingOptions.Section), bus => consumers?.Invoke(bus))
            .AddStageWorker(worker);
        return builder;
    }
}
