using System.Data.Common;
using System.IO.Compression;
using System.Text.Json;
using Dapper;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Api;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Results;
using Espalier.Pipelines.Planning;

namespace Espalier.Orchestrator.Archive;

/// <summary>
/// Everything about a run that has left the tables of runs, steps and events: one row of the ledger's archive, as compressed JSON. It is in
/// the database, not in the artifact store: so a run moves in one transaction, is found by its id, goes with the ledger's backup, and no
/// collection of artifacts has to know of it.
/// </summary>
internal sealed record ArchivedRun(RunView Run, RunSource Source, IReadOnlyList<RunEventView> Log, IReadOnlyList<NoticeView> Notices)
{
    /// <summary>Its steps as planned; null in archives of old versions.</summary>
    public IReadOnlyList<PlannedStep>? Plan { get; init; }

    /// <summary>What its steps were expected to cost; null when nobody had estimated it.</summary>
    public IReadOnlyList<StepEstimate>? Estimates { get; init; }

    internal const string Select = "select archived_at, ordinal, body from run_archive where id = @runId";

    /// <summary>As the archive keeps it: gzip of JSON.</summary>
    public byte[] Pack()
    {
        using var bytes = new MemoryStream();
        using (var gzip = new GZipStream(bytes, CompressionLevel.Optimal, leaveOpen: true))
            JsonSerializer.Serialize(gzip, this, WireJson.Options);
        return bytes.ToArray();
    }

    /// <summary>Reads a run of the archive, or null.</summary>
    public static async Task<ArchivedRun?> FindAsync(DbConnection connection, string runId) =>
        Unpack(await connection.QueryFirstOrDefaultAsync<Row>(Select, new { runId }).ConfigureAwait(false));

    /// <summary>Reads what is in a row, or null where there is none.</summary>
    public static ArchivedRun? Unpack(Row? row)
    {
        if (row is null)
            return null;
        using var gzip = new GZipStream(new MemoryStream(row.Body), CompressionMode.Decompress);
        var archived = JsonSerializer.Deserialize<ArchivedRun>(gzip, WireJson.Options)!;
        return archived with { Run = archived.Run with { Archived = DateTimeOffset.FromUnixTimeMilliseconds(row.ArchivedAt), Ordinal = row.Ordinal } };
    }

    /// <summary>An archived run as the database holds it.</summary>
    internal sealed class Row
    {
        public long ArchivedAt { get; init; }
        public long Ordinal { get; init; }
        public byte[] Body { get; init; } = [];
    }
}

/// <summary>Looks for archived runs within a transaction.</summary>
internal static class ArchivedRuns
{
    /// <summary>Reads a run of the archive, or null.</summary>
    public static async Task<ArchivedRun?> FindArchivedAsync(this DatabaseTransaction transaction, Guid runId) => ArchivedRun.Unpack(
        await transaction.FindAsync<ArchivedRun.Row>(ArchivedRun.Select, new { runId = runId.ToString() }).ConfigureAwait(false));
}

/// <summary>An archived run was asked to go on.</summary>
internal sealed class RunArchivedException(RunView run)
    : Exception(
        $"Run {run.RunId} ended and was archived on {run.Archived:yyyy-MM-dd}: it can be viewed, but not resumed. "
            + "Start it again as a new run.");
