using Espalier.Stages;
using Espalier.Stages.Estimates;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Evaluator;

/// <summary>Registers the stage <c>evaluate</c>.</summary>
public static class ServiceCollectionExtensions
{
    /// <summary>Adds the stage <c>evaluate</c>.</summary>
    public static IServiceCollection AddEvaluator(this IServiceCollection services) => services.AddSingleton<IStage, EvaluateStage>().AddStageEstimate<EvaluateEstimate>();
}
