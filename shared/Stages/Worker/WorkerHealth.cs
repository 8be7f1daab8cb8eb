using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Espalier.Stages.Worker;

/// <summary>Ready once the worker listens and asks for work.</summary>
internal sealed class WorkerHealth(StageWorker worker) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(worker.Problem is { } problem ? HealthCheckResult.Unhealthy(problem) : HealthCheckResult.Healthy());
}
