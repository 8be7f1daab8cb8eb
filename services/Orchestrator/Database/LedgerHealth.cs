using System.Data.Common;
using Dapper;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Espalier.Orchestrator.Database;

/// <summary>Ready while the ledger answers.</summary>
internal sealed class LedgerHealth(LedgerDatabase database) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await database.ReadAsync(c => c.ExecuteScalarAsync<long>("select max(version) from schema_version"), cancellationToken).ConfigureAwait(false);
            return HealthCheckResult.Healthy();
        }
        catch (DbException e)
        {
            return HealthCheckResult.Unhealthy("The ledger does not answer.", e);
        }
    }
}
