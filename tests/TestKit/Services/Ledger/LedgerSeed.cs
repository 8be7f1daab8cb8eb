using System.Data.Common;
using System.Globalization;
using System.Text.Json;
using Dapper;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Planning;

namespace Espalier.TestKit.Services.Ledger;

/// <summary>Fills a ledger with ended runs: the rows that running them one by one would have left, of a size as real ones have.</summary>
public static class LedgerSeed
{
    /// <summary>Time between the ends of two runs.</summary>
    public static readonly TimeSpan Apart = TimeSpan.FromSeconds(30);

    /// <summary>Pipelines whose runs they are.</summary>
    public const int Pipelines = 20;

    private const int MillisecondsEach = 20_000;
    private static readonly string[] Steps = ["corpus", "grown", "cpt", "scores"];
    private static readonly string[] Kinds = ["corpus", "upcycle", "train", "evaluate"];
    private static readonly string[] Metrics = ["loss", "perplexity", "accuracy", "bits-per-byte", "tokens", "tokens-per-second", "max-violation", "seconds"];

    private static readonly string Options = $"{string.Join(", ", Metrics.Select(m => $"{m}: 1"))}, text: '{new string('x', 150)}'";
    private static readonly string Yaml = "name: seeded\nstages:\n"
        + string.Concat(Steps.Select((step, i) => $"  {step}: {{ uses: {Kinds[i]}, with: {{ {Options} }} }}\n"));

    private static readonly string[] Plans = [.. Steps.Select((step, i) => JsonColumn.Write(new PlannedStep
    {
        Name = step, Kind = Kinds[i], Needs = NeedsOf(i),
        Inputs = [.. NeedsOf(i).Select(n => new PlannedInput { Step = n, Output = OutputNames.Model, As = "from" })],
        Options = JsonSerializer.SerializeToElement(Metrics.ToDictionary(m => m, m => $"the setting {m} of a step, as long as they are")),
    }))];

    /// <summary>Id of a seeded run, which is the nth from the oldest, from 0.</summary>
    public static Guid RunId(int run) => Guid.Parse(string.Create(CultureInfo.InvariantCulture, $"01900000-0000-7000-8000-{run:x12}"));

    /// <summary>Name of the pipeline of a run.</summary>
    public static string Name(int run) => string.Create(CultureInfo.InvariantCulture, $"seeded-{run % Pipelines:00}");

    /// <summary>State of a run: one of twenty failed, one of fifty was cancelled.</summary>
    public static RunState State(int run) => run % 20 == 7 ? RunState.Failed : run % 50 == 9 ? RunState.Cancelled : RunState.Succeeded;

    /// <summary>Writes runs of four steps each into an empty ledger; every second one was started by an event.</summary>
    /// <param name="connection">The ledger, in its newest schema.</param>
    /// <param name="runs">How many.</param>
    /// <param name="until">When the last of them ended, in milliseconds since 1970 UTC.</param>
    public static async Task WriteAsync(DbConnection connection, int runs, long until)
    {
        long Ended(int run) => until - (long)(runs - 1 - run) * (long)Apart.TotalMilliseconds;
        long Began(int run) => Ended(run) - MillisecondsEach;
        string Id(int run) => RunId(run).ToString();
        var all = Enumerable.Range(0, runs);
        var triggered = all.Where(r => r % 2 == 0);

        await BulkRows.InsertAsync(
            connection, "run",
            ["id", "number", "name", "file_name", "pipeline", "parameters", "state", "message", "open_steps", "created_at", "started_at", "ended_at"],
            all.Select(r => new object?[]
            {
                Id(r), (long)r + 1, Name(r), "seeded.yaml", Yaml, "{}", EnumText.Of(State(r)), State(r) == RunState.Failed ? "Failed: scores." : "", 0,
                Began(r), Began(r) + 1, Ended(r),
            }));
        await BulkRows.InsertAsync(
            connection, "step",
            [
                "run_id", "name", "position", "kind", "device", "priority", "run_created_at", "plan", "state", "waiting_on", "offer", "attempt", "worker",
                "ready_at", "started_at", "ended_at", "step_key", "inputs", "outputs", "metrics", "message", "done", "total",
            ],
            all.SelectMany(r => Steps.Select((step, i) => new object?[]
            {
                Id(r), step, i, Kinds[i], "cpu", 0, Began(r), Plans[i], EnumText.Of(StateOf(r, i)), 0, $"{Kinds[i]}@v1@test", 1, "worker-7",
                Began(r), Began(r), Ended(r), Key(r, i).Hex, "[]",
                JsonColumn.Write(new Dictionary<string, ManifestRef> { [OutputNames.Model] = new(ArtifactKind.Checkpoint, Key(r, i), 1 << 20) }),
                JsonColumn.Write(Metrics.ToDictionary(m => m, m => Spread(r, m.Length) / 100.0)), "", 100L, 100L,
            })));
        await BulkRows.InsertAsync(
            connection, "step_need", ["run_id", "name", "needs"],
            all.SelectMany(r => Steps.SelectMany((step, i) => NeedsOf(i).Select(n => new object?[] { Id(r), step, n }))));
        await BulkRows.InsertAsync(
            connection, "event", ["run_id", "at", "type", "step", "body"],
            all.SelectMany(r => LogOf(r).Select(line => new object?[] { Id(r), Ended(r), line.Type, line.Step, line.Body })));

        var before = await connection.ExecuteScalarAsync<long>("select coalesce(max(id), 0) from trigger_event");
        await BulkRows.InsertAsync(
            connection, "trigger_event", ["event_key", "kind", "fields", "chain", "at", "is_open"],
            triggered.Select(r => new object?[] { $"seeded/{r}", "model.registered", "{\"model\":\"demo\",\"version\":1}", "[]", Began(r), 0 }));
        await BulkRows.InsertAsync(
            connection, "trigger_firing", ["trigger_name", "event_id", "state", "dedupe_key", "concurrency_group", "at", "run_id"],
            triggered.Select((r, i) => new object?[] { $"{Name(r)}.model.registered", before + i + 1, "started", $"key-{r}", "seeded", Began(r), Id(r) }));
        await BulkRows.InsertAsync(
            connection, "run_origin", ["run_id", "pipeline", "version", "owner", "trigger_name", "event_id", "event_kind", "chain", "concurrency_group"],
            triggered.Select((r, i) => new object?[]
            {
                Id(r), Name(r), 1, "ada", $"{Name(r)}.model.registered", before + i + 1, "model.registered", $"[\"{Name(r)}.model.registered\"]", "seeded",
            }));
    }

    private static string[] NeedsOf(int step) => step switch { 0 => [], 3 => [Steps[1], Steps[2]], _ => [Steps[step - 1]] };

    private static StepState StateOf(int run, int step) => (State(run), step) switch
    {
        (RunState.Failed, 3) => StepState.Failed,
        (RunState.Cancelled, > 1) => StepState.Cancelled,
        (_, 0) => StepState.Cached,
        _ => StepState.Succeeded,
    };

    private static IEnumerable<(string Type, string Step, string Body)> LogOf(int run)
    {
        yield return (nameof(RunStateChanged), "", JsonColumn.Write(new RunStateChanged(RunId(run), Name(run), RunState.Queued)));
        for (var i = 0; i < Steps.Length; i++)
        {
            foreach (var state in new[] { StepState.Ready, StepState.Running, StateOf(run, i) })
                yield return (nameof(StepStateChanged), Steps[i], JsonColumn.Write(new StepStateChanged(RunId(run), Steps[i], state, 1, "worker-7")));
        }
        yield return (nameof(RunStateChanged), "", JsonColumn.Write(new RunStateChanged(RunId(run), Name(run), State(run))));
    }

    private static Digest Key(int run, int step) => Digest.Of(BitConverter.GetBytes(run * Steps.Length + step));

    // 0 to 999, the same for the same run.
    private static int Spread(int run, int seed) => (int)((uint)(run * 2654435761u + seed * 40503u * 65537u) >> 7) % 1000;
}
