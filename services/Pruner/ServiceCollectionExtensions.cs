using Espalier.Stages;
using Espalier.Surgery;
using Espalier.Surgery.Estimates;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Pruner;

/// <summary>Registers the stage <c>prune</c>.</summary>
public static class ServiceCollectionExtensions
{
    /// <summary>Adds the stage <c>prune</c>.</summary>
    public static IServiceCollection AddPruner(this IServiceCollection services) =>
        services.AddTorchEngine().AddSingleton<IStage, PruneStage>().AddStageEstimate<PruneEstimate>();
}
