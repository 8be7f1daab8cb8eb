using System.Diagnostics;
using System.Text.Json.Nodes;
using Dapper;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Integration.Tests.Distributed;
using Espalier.Messaging;
using Espalier.Orchestrator;
using Espalier.Orchestrator.Database;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Distributed;
using Espalier.TestKit.Services.Ledger;
using Xunit.Abstractions;

namespace Espalier.Integration.Tests.Drills;

/// <summary>
/// A rolling upgrade: services of two versions are on the bus together. The older version is played by its messages and its rows; real are
/// the broker, the databases and the services of this version.
/// </summary>
[Collection(ServersCollection.Name)]
public sealed class When_versions_are_mixed : IDisposable
{
    private const string Orchestrator = "services/Orchestrator", Stages = "tests/TestKit/NoopService";

    /// <summary>Longer than the start of an orchestrator takes, so that the older worker keeps what it holds.</summary>
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(3), Limit = TimeSpan.FromMinutes(4);

    private readonly BrokerAndDatabase _servers;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("versions-");
    private readonly ArtifactStore _artifacts;
    private readonly DrillReport _report;

    public When_versions_are_mixed(BrokerAndDatabase servers, ITestOutputHelper output)
    {
        (_servers, _report) = (servers, new DrillReport(output));
        _artifacts = new ArtifactStore(new FileBlobStore(Path.Combine(_folder.FullName, "store")));
    }

    public void Dispose()
    {
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData(LedgerProvider.PostgreSql)]
    [InlineData(LedgerProvider.Sqlite)]
    public async Task Ledger_of_the_first_six_migrations_comes_up_while_an_older_worker_holds_a_lease(LedgerProvider provider)
    {
        var ledger = provider == LedgerProvider.PostgreSql
            ? await _servers.Database.NewDatabaseAsync()
            : $"Data Source={Path.Combine(_folder.FullName, "ledger.db")}";
        await using var database = LedgerDatabase.Open(new OrchestratorOptions { Provider = provider, Connection = ledger }, TimeProvider.System);
        await OldRun.WriteAsync(database, Lease);
        await using var old = await OldBus.OpenAsync(_servers.Broker.Address);
        _report.Done($"ledger of migration {OldRun.Schema} with a run in flight written, on {provider}");

        // Several at once, as a deployment starts them; a file takes one orchestrator, and the job that migrates.
        var job = MigrateAsync(provider, ledger);
        await using var first = await StartOrchestratorAsync(provider, ledger);
        await using var second = provider == LedgerProvider.PostgreSql ? await StartOrchestratorAsync(provider, ledger) : null;
        await job;
        (await CountAsync(database, "select max(version) from schema_version")).ShouldBe(OldLedger.Newest);
        (await CountAsync(database, "select count(*) from schema_version")).ShouldBe(OldLedger.Versions.Count + 1, "each script ran once");
        _report.Done($"{(second is null ? "an orchestrator" : "two orchestrators")} and a job started together and migrated once");

        (await BeatAsync(old)).ShouldBe(LeaseVerdict.Continue, "the lease outlives the migration");
        await old.PublishAsync(nameof(StageAdvertised), OldBus.Golden("StageAdvertised"));
        await old.PublishAsync(nameof(StepProgress), Of("StepProgress", "work", OldRun.KeyOfWork));
        await FinishAsync(old, "work", OldRun.KeyOfWork);
        var next = await ClaimAsync(old);
        next.MissingFrom(OldBus.Golden("StepAssignment.least")).ShouldBeEmpty("an older worker reads it");
        var assignment = next.As<StepAssignment>();
        (assignment.Step.Name, assignment.Fence, assignment.Inputs.ShouldHaveSingleItem().Step).ShouldBe(("next", 1, "work"));
        _report.Done("the older worker kept its lease, reported its step and claimed the next");

        await using var worker = await ServiceProcess.StartAsync(Stages, Settings(provider, ledger));
        await UntilAsync(() => CountAsync(database, "select count(*) from stage where kind = 'noop'"), 2);
        await FinishAsync(old, "next", assignment.Step.Key);
        await UntilAsync(() => CountAsync(database, "select count(*) from run where state = 'succeeded'"), 1);
        _report.Done("a worker of this version started and took the last step; the run ended");

        (await CountAsync(database, "select count(*) from step where state = 'succeeded' and attempt = 1")).ShouldBe(3, "no attempt was lost");
        (await CountAsync(database, $"select count(*) from step where name = 'last' and worker <> '{OldRun.Worker}'")).ShouldBe(1);
        (await ClaimAnswerAsync(old))!.Type.ShouldBe(nameof(NoStep));
        await EventsOfAnOlderRegistryAsync(old, database);
        _report.End("nothing; every step had one attempt");
    }

    [Fact]
    public async Task Worker_of_this_version_works_for_an_older_orchestrator()
    {
        var key = Digest.Of("of an older orchestrator"u8);
        var finished = new TaskCompletionSource<OldMessage>(TaskCreationOptions.RunContinuationsAsynchronously);
        var (claims, wrong) = (0, new List<string>());
        await using var old = await OldBus.OpenAsync(_servers.Broker.Address);
        await old.ServeAsync(EndpointNames.Orchestrator, message =>
        {
            var golden = OldBus.Golden(message.Type);
            lock (wrong)
                wrong.AddRange(message.MissingFrom(golden).Select(member => $"{message.Type}.{member}"));
            if (message.Type == nameof(StepFinished))
                finished.TrySetResult(message);
            return message.Type switch
            {
                nameof(ClaimStep) when Interlocked.Increment(ref claims) == 1 => (nameof(StepAssignment), Of("StepAssignment.least", "work", key)),
                nameof(ClaimStep) => (nameof(NoStep), OldBus.Golden("NoStep")),
                nameof(StepHeartbeat) => (nameof(HeartbeatAnswer), OldBus.Golden("HeartbeatAnswer")),
                _ => (nameof(StepReportAnswer), OldBus.Golden("StepReportAnswer")),
            };
        });

        await using var worker = await ServiceProcess.StartAsync(Stages, Settings(LedgerProvider.PostgreSql, ""));
        var report = (await finished.Task.WaitAsync(Limit)).As<StepFinished>();
        _report.Done("a worker of this version claimed, did and reported a step of an older orchestrator");

        wrong.ShouldBeEmpty("an older orchestrator reads what the worker sends");
        (report.Step.Name, report.Step.Key, report.Fence).ShouldBe(("work", key, 1));
        (await _artifacts.FindIntactStepAsync(key, default))!.Outputs["model"].ShouldBe(report.Outputs["model"]);
        (await worker.TerminateAsync()).ShouldBe(0, worker.Log);
        _report.End("nothing");
    }

    /// <summary>A registry that gives its events no identity: what it says of a version is one event, however often it says so.</summary>
    private static async Task EventsOfAnOlderRegistryAsync(OldBus old, LedgerDatabase database)
    {
        await old.PublishAsync(nameof(ModelRegistered), OldBus.Golden("ModelRegistered"));
        await old.PublishAsync(nameof(ModelRegistered), OldBus.Golden("ModelRegistered"));
        await old.PublishAsync(nameof(AliasMoved), OldBus.Golden("AliasMoved"));
        await UntilAsync(() => CountAsync(database, "select count(*) from trigger_event where kind = 'alias.moved'"), 1);
        await UntilAsync(() => CountAsync(database, "select count(*) from trigger_event where kind = 'model.registered'"), 1);
    }

    private static async Task<LeaseVerdict> BeatAsync(OldBus old) =>
        (await old.AskAsync(EndpointNames.Orchestrator, nameof(StepHeartbeat), Of("StepHeartbeat", "work", OldRun.KeyOfWork)))!.As<HeartbeatAnswer>().Verdict;

    /// <summary>Stores a result and reports it, as the older worker does.</summary>
    private async Task FinishAsync(OldBus old, string step, Digest key)
    {
        var blob = await _artifacts.Blobs.PutAsync(System.Text.Encoding.UTF8.GetBytes(step), default);
        var made = await _artifacts.PublishAsync(
            new Manifest { Kind = ArtifactKind.Report, Files = [new FileEntry("head", blob.Digest, blob.SizeBytes)] }, default);
        await _artifacts.CommitStepAsync(
            key, new StepCommit { Outputs = new Dictionary<string, ManifestRef> { ["model"] = made }, Metrics = new Dictionary<string, double>() }, default);
        var body = Of("StepFinished", step, key);
        var root = new JsonObject { ["kind"] = "report", ["root"] = made.Root.Hex, ["size-bytes"] = made.SizeBytes };
        body["outputs"] = new JsonObject { ["model"] = root };
        (await old.AskAsync(EndpointNames.Orchestrator, nameof(StepFinished), body))!.As<StepReportAnswer>().Accepted.ShouldBeTrue(step);
    }

    private static async Task<OldMessage> ClaimAsync(OldBus old)
    {
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < Limit)
        {
            if (await ClaimAnswerAsync(old) is { Type: nameof(StepAssignment) } assignment)
                return assignment;
            await Task.Delay(200);
        }
        throw new TimeoutException("The older worker gets no step.");
    }

    private static Task<OldMessage?> ClaimAnswerAsync(OldBus old)
    {
        var claim = OldBus.Golden("ClaimStep");
        claim["holding"] = new JsonArray();
        return old.AskAsync(EndpointNames.Orchestrator, nameof(ClaimStep), claim);
    }

    /// <summary>A body of the older version about a step of the run.</summary>
    private static JsonObject Of(string golden, string step, Digest key)
    {
        var body = OldBus.Golden(golden);
        body["step"] = new JsonObject { ["run-id"] = OldRun.Id, ["name"] = step, ["key"] = key.Hex };
        return body;
    }

    private async Task MigrateAsync(LedgerProvider provider, string ledger)
    {
        await using var job = ServerProcess.Start(
            "KILL", new Dictionary<string, string>(),
            ["dotnet", Repository.Assembly(Orchestrator), "migrate", .. Settings(provider, ledger).Select(s => $"--{s.Key}={s.Value}")]);
        (await job.WaitForExitAsync(Limit)).ShouldBe(0, job.Output);
    }

    private Task<ServiceProcess> StartOrchestratorAsync(LedgerProvider provider, string ledger) =>
        ServiceProcess.StartAsync(Orchestrator, Settings(provider, ledger));

    private Dictionary<string, string> Settings(LedgerProvider provider, string ledger) => new()
    {
        ["messaging:transport"] = "rabbit-mq",
        ["messaging:broker"] = _servers.Broker.Address.ToString(),
        ["store:location"] = $"file:{Path.Combine(_folder.FullName, "store")}",
        ["orchestrator:provider"] = provider == LedgerProvider.PostgreSql ? "postgre-sql" : "sqlite",
        ["orchestrator:connection"] = ledger,
        ["orchestrator:lease"] = Lease.ToString(),
        ["orchestrator-api:key"] = DistributedPlatform.Key,
        ["worker:poll-interval"] = "00:00:01",
        ["worker:cache-folder"] = Path.Combine(_folder.FullName, "cache"),
    };

    private static Task<int> CountAsync(LedgerDatabase database, string sql) => database.ReadAsync(c => c.ExecuteScalarAsync<int>(sql), default);

    private static async Task UntilAsync(Func<Task<int>> count, int expected)
    {
        var clock = Stopwatch.StartNew();
        while (await count() is var found && found != expected)
        {
            if (clock.Elapsed > Limit)
                throw new TimeoutException($"{found}, and not {expected}.");
            await Task.Delay(100);
        }
    }
}
