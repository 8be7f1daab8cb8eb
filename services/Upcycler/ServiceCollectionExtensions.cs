using Espalier.Stages;
using Espalier.Surgery;
using Espalier.Surgery.Estimates;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Upcycler;

/// <summary>Registers the stage <c>upcycle</c>.</summary>
public static class ServiceCollectionExtensions
{
    /// <summary>Adds the stage <c>upcycle</c>.</summary>
    public static IServiceCollection AddUpcycler(this IServiceCollection services) =>
        services.AddTorchEngine().AddSingleton<IStage, UpcycleStage>().AddStageEstimate<UpcycleEstimate>();
}
