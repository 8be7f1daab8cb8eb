using Espalier.Stages;
using Espalier.Surgery;
using Espalier.Surgery.Estimates;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Evaluator;

/// <summary>Registers the stage <c>evaluate</c>.</summary>
public static class ServiceCollectionExtensions
{
    /// <summary>Adds the stage <c>evaluate</c>.</summary>
    public static IServiceCollection AddEvaluator(this IServiceCollection services) =>
        services.AddTorchEngine().AddSingleton<IStage, EvaluateStage>().AddStageEstimate<EvaluateEstimate>();
}
