using Espalier.Stages;
using Espalier.Stages.Estimates;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Upcycler;

/// <summary>Registers the stage <c>upcycle</c>.</summary>
public static class ServiceCollectionExtensions
{
    /// <summary>Adds the stage <c>upcycle</c>.</summary>
    public static IServiceCollection AddUpcycler(this IServiceCollection services) => services.AddSingleton<IStage, UpcycleStage>().AddStageEstimate<UpcycleEstimate>();
}
