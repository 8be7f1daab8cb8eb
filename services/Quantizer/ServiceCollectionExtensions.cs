using Espalier.Stages;
using Espalier.Surgery;
using Espalier.Surgery.Estimates;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Quantizer;

/// <summary>Registers the stage <c>quantize</c>.</summary>
public static class ServiceCollectionExtensions
{
    /// <summary>Adds the stage <c>quantize</c>.</summary>
    public static IServiceCollection AddQuantizer(this IServiceCollection services) =>
        services.AddTorchEngine().AddSingleton<IStage, QuantizeStage>().AddStageEstimate<QuantizeEstimate>();
}
