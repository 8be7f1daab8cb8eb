using Espalier.Artifacts.Blobs;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Espalier.Artifacts;

/// <summary>Whether the store can be used now. It is asked at most every two seconds, however many want to know.</summary>
public sealed class StoreProbe(IBlobStore store, TimeProvider time) : IHealthCheck
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(2), Limit = TimeSpan.FromSeconds(5);
    private readonly SemaphoreSlim _asking = new(1, 1);
    private (long At, string? Problem)? _last;

    /// <summary>Why the store cannot be used; null when it can.</summary>
    public async Task<string?> FindProblemAsync(CancellationToken cancellationToken)
    {
        await _asking.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_last is not { } last || time.GetElapsedTime(last.At) > Fresh)
                _last = last = (time.GetTimestamp(), await AskAsync(cancellationToken).ConfigureAwait(false));
            return last.Problem;
        }
        finally
        {
            _asking.Release();
        }
    }

    /// <inheritdoc/>
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        await FindProblemAsync(cancellationToken).ConfigureAwait(false) is { } problem ? HealthCheckResult.Unhealthy(problem) : HealthCheckResult.Healthy();

    private async Task<string?> AskAsync(CancellationToken cancellationToken)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(Limit);
        try
        {
            await store.ProbeAsync(limited.Token).WaitAsync(limited.Token).ConfigureAwait(false);
            return null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"The artifact store does not answer within {Limit.TotalSeconds:0} s.";
        }
        catch (Exception e) when (StoreFailure.Is(e))
        {
            return StoreFailure.Describe(e);
        }
    }
}
