using Espalier.Stages;
using Espalier.Surgery;
using Espalier.Surgery.Estimates;
using Espalier.Upcycler.Merging;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Upcycler;

/// <summary>Registers the stages <c>upcycle</c> and <c>merge</c>.</summary>
public static class ServiceCollectionExtensions
{
    /// <summary>Adds the stages <c>upcycle</c> and <c>merge</c>.</summary>
    public static IServiceCollection AddUpcycler(this IServiceCollection services) =>
        services.AddTorchEngine().AddSingleton<IStage, UpcycleStage>().AddStageEstimate<UpcycleEstimate>()
            .AddSingleton<IStage, MergeStage>().AddStageEstimate<MergeEstimate>();
}
