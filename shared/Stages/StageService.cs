using Espalier.Hosting;
using Espalier.Stages.Worker.Isolation;
using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Stages;

/// <summary>Runs a stage service.</summary>
public static class StageService
{
    /// <summary>Runs the service as <see cref="ServiceHost.RunAsync"/> does; or, when its worker started it for that, as a work process.</summary>
    /// <param name="name">The service's name in logs and traces.</param>
    /// <param name="args">Command line.</param>
    /// <param name="stages">Registers the stages.</param>
    /// <param name="map">Maps the service's own HTTP endpoints.</param>
    /// <param name="consumers">Adds the service's own consumers to the bus.</param>
    public static Task<int> RunAsync(
        string name, string[] args, Action<IServiceCollection> stages, Action<WebApplication>? map = null,
        Action<IBusRegistrationConfigurator>? consumers = null) =>
        args is [StageWorkProcess.Verb, ..]
            ? StageWorkProcess.RunAsync(args[1..], stages)
            : ServiceHost.RunAsync(name, args, builder => builder.AddStageService(stages, consumers), map);
}
