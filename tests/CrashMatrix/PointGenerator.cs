using Espalier.FaultInjection;
using static Espalier.FaultInjection.FaultPoints;

namespace Espalier.CrashMatrix;

/// <summary>
/// Generates points from a seed. Every family takes its turn, so that a small sample holds some of each, and within a family
/// every combination comes before any comes twice.
/// </summary>
internal static class PointGenerator
{
    /// <summary>The stage services.</summary>
    public static readonly IReadOnlyList<string> Workers = ["cpt-trainer", "upcycler", "pruner", "quantizer", "evaluator", "registry"];

    /// <summary>The service without which nothing is decided.</summary>
    public const string Orchestrator = "orchestrator";

    private static readonly string[] OrchestratorPoints =
    [
        ClaimReceived, ClaimAnswer, HeartbeatReceived, HeartbeatAnswer, FinishReceived, FinishAnswer, SubmitAnswer, ProgressReceived,
        StepPrepare, OutboxTaken, OutboxSent, OutboxRemoved, LedgerCommit, LedgerCommitted,
    ];

    private static readonly string[] WorkerPoints =
        [HintReceived, ClaimSend, ClaimGranted, StepCommit, StepCommitted, ReceiptWritten, FinishSend, FinishAcknowledged, ProgressSend];

    private static readonly string[] WorkPoints =
        [WorkBegin, WorkResult, CursorSave, CursorSaved, BlobWrite, BlobPublish, BlobPublished, ManifestPublish, ManifestPublished, RecordPublish];

    /// <summary>The first <paramref name="count"/> points of a seed.</summary>
    public static IReadOnlyList<CrashPoint> Generate(int count, int seed)
    {
        var random = new Random(seed);
        var all = new[] { Orchestrators(), WorkFaults(), WorkerFaults(), Writes(), Kills(), Servers(), Stores() }
            .Select(f => new Queue<CrashPoint>(Shuffle(f, random))).ToList();
        // The two large families come twice in a round.
        List<Queue<CrashPoint>> families = [.. all, all[1], all[2]];
        var points = new List<CrashPoint>();
        for (var turn = 0; points.Count < count; turn++)
        {
            var family = families[turn % families.Count];
            var point = family.Dequeue();
            // When all have come they come again, at another time or hit.
            family.Enqueue(point);
            points.Add(Vary(point, random) with { Number = points.Count + 1 });
        }
        return points;
    }

    private static IEnumerable<CrashPoint> Orchestrators() =>
        from point in OrchestratorPoints
        from action in new[] { "kill", "throw", "delay" }
        select Fault(Orchestrator, point, action);

    private static IEnumerable<CrashPoint> WorkerFaults() =>
        from worker in Workers
        from point in WorkerPoints
        from action in new[] { "kill", "throw" }
        select Fault(worker, point, action);

    private static IEnumerable<CrashPoint> WorkFaults() =>
        from worker in Workers
        from point in WorkPoints
        from action in new[] { "kill", "abort", "throw" }
        where worker != "registry" || point is WorkBegin or WorkResult
        where worker != "upcycler" || point is not (CursorSave or CursorSaved or RecordPublish)
        select Fault($"{worker}-work", point, action);

    private static IEnumerable<CrashPoint> Writes() =>
        from worker in Workers
        from role in new[] { worker, $"{worker}-work" }
        where role != "registry-work"
        select Fault(role, BlobWrite, "tear");

    private static IEnumerable<CrashPoint> Kills() =>
        (from worker in Workers
         from disruption in new[] { Disruption.KillService, Disruption.KillWork, Disruption.TerminateService, Disruption.FreezeService }
         select new CrashPoint(0, StoreKind.Files, disruption, worker, "", default))
        .Concat(
            new[]
            {
                Disruption.KillService,
                Disruption.TerminateService,
                Disruption.FreezeService,
            }.Select(b => new CrashPoint(0, StoreKind.Files, b, Orchestrator, "", default)));

    private static IEnumerable<CrashPoint> Servers() =>
    [
        new(0, StoreKind.Files, Disruption.RestartBroker, "RabbitMQ", "", default),
        new(0, StoreKind.Files, Disruption.RestartDatabase, "PostgreSQL", "", default),
        new(0, StoreKind.Files, Disruption.RestartDatabase, "PostgreSQL", "", default),
    ];

    private static IEnumerable<CrashPoint> Stores() =>
        new[]
        {
            Disruption.StoreAway,
            Disruption.StoreSilent,
            Disruption.StoreSlow,
        }.Select(b => new CrashPoint(0, StoreKind.Azurite, b, "Azurite", "", default));

    private static CrashPoint Fault(string role, string point, string action) =>
        new(0, StoreKind.Files, Disruption.Fault, role.Replace("-work", "", StringComparison.Ordinal), $"{role}@{point}:0:{action}", default);

    private static CrashPoint Vary(CrashPoint point, Random random)
    {
        var hit = point.Fault.Contains("-work@", StringComparison.Ordinal) ? random.Next(1, 4)
            : point.Target == Orchestrator && !point.Fault.Contains(SubmitAnswer, StringComparison.Ordinal) ? random.Next(1, 9)
            : 1;
        if (point.Fault.Contains(WorkBegin, StringComparison.Ordinal) || point.Fault.Contains(WorkResult, StringComparison.Ordinal))
            hit = 1;
        return point with
        {
            Fault = point.Fault.Replace(":0:", $":{hit}:", StringComparison.Ordinal),
            After = TimeSpan.FromMilliseconds(random.Next(50, 2500)),
        };
    }

    private static IEnumerable<CrashPoint> Shuffle(IEnumerable<CrashPoint> points, Random random)
    {
        var all = points.ToArray();
        random.Shuffle(all);
        return all;
    }
}
