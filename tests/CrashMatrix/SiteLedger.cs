using System.Diagnostics;
using System.Text.Json;
using Espalier.Contracts;
using Npgsql;

namespace Espalier.CrashMatrix;

/// <summary>A step as the ledger has it.</summary>
internal sealed record LedgerStep(string Name, string State, int Attempts, string Outputs, string Message);

/// <summary>Reads the databases themselves, so that a check does not depend on the process that was struck.</summary>
internal sealed class SiteLedger(string ledger, string registry)
{
    private static readonly string[] Ended = ["succeeded", "failed", "cancelled"];

    /// <summary>Whether a run in this state is over.</summary>
    public static bool IsEnd(string state) => Ended.Contains(state);

    /// <summary>Waits until workers have offered these kinds.</summary>
    public async Task WaitForStagesAsync(string[] kinds)
    {
        var clock = Stopwatch.StartNew();
        while (await QueryAsync(ledger, "select count(distinct kind) from stage where kind = any($1)", r => r.GetInt64(0), (object)kinds) is not [var heard]
            || heard < kinds.Length)
        {
            if (clock.Elapsed > TimeSpan.FromSeconds(180))
                throw new TimeoutException("Not every stage is offered.");
            await Task.Delay(50);
        }
    }

    /// <summary>Waits for the end of a run; its state, which is not an ended one when the limit is over.</summary>
    public async Task<string> WaitForEndAsync(Guid run, TimeSpan limit)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var state = (await QueryAsync(ledger, "select state from run where id = $1", r => r.GetString(0), run.ToString())).FirstOrDefault() ?? "unknown";
            if (Ended.Contains(state) || clock.Elapsed > limit)
                return state;
            await Task.Delay(25);
        }
    }

    /// <summary>The steps of a run.</summary>
    public Task<List<LedgerStep>> StepsAsync(Guid run) => QueryAsync(
        ledger, "select name, state, attempt, coalesce(outputs, '{}'), message from step where run_id = $1 order by position",
        r => new LedgerStep(r.GetString(0), r.GetString(1), r.GetInt32(2), RootsOf(r.GetString(3)), r.GetString(4)), run.ToString());

    /// <summary>How often each step of a run was said to have succeeded.</summary>
    public async Task<IReadOnlyDictionary<string, int>> SuccessesAsync(Guid run) =>
        (await QueryAsync(ledger, "select step, body from event where run_id = $1 and type = 'StepStateChanged'",
            r => (Step: r.GetString(0), Body: r.GetString(1)), run.ToString()))
        .Where(e => e.Body.Contains("\"state\":\"succeeded\"", StringComparison.Ordinal))
        .GroupBy(e => e.Step).ToDictionary(g => g.Key, g => g.Count());

    /// <summary>Versions that the registry has of a model.</summary>
    public async Task<long> VersionsAsync(string model) =>
        (await QueryAsync(registry, "select count(*) from registry_version where name = $1", r => r.GetInt64(0), model))[0];

    /// <summary>Messages of the outbox that are still owed.</summary>
    public async Task<long> OwedAsync() => (await QueryAsync(ledger, "select count(*) from outbox", r => r.GetInt64(0)))[0];

    private static string RootsOf(string outputs) => string.Join(
        ' ', JsonSerializer.Deserialize<SortedDictionary<string, ManifestRef>>(outputs, WireJson.Options)!.Select(o => $"{o.Key}={o.Value.Root.Short}"));

    /// <summary>Repeats itself while the database is away.</summary>
    private static async Task<List<T>> QueryAsync<T>(string connection, string sql, Func<NpgsqlDataReader, T> read, params object[] parameters)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                await using var open = new NpgsqlConnection(connection);
                await open.OpenAsync();
                await using var command = new NpgsqlCommand(sql, open);
                foreach (var parameter in parameters)
                    command.Parameters.AddWithValue(parameter);
                await using var reader = await command.ExecuteReaderAsync();
                var rows = new List<T>();
                while (await reader.ReadAsync())
                    rows.Add(read(reader));
                return rows;
            }
            catch (Exception e) when (e is NpgsqlException or IOException && clock.Elapsed < TimeSpan.FromSeconds(30))
            {
                await Task.Delay(100);
            }
        }
    }
}
