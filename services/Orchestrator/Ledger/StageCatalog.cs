using Dapper;
using Espalier.Contracts;
using Espalier.Orchestrator.Database;
using Espalier.Pipelines.Keys;
using Espalier.Pipelines.Resolution;

namespace Espalier.Orchestrator.Ledger;

/// <summary>Which stages workers have offered: their option schemas for planning, their code for step keys.</summary>
internal sealed class StageCatalog(LedgerDatabase database, Wakeups wakeups, OrchestratorOptions options) : IStageCodes
{
    private TaskCompletionSource _nextOffer = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Steps of this kind and device that a live worker offers; the newest code wins, of those that are not offered as a spare.</summary>
    internal const string IsOffered =
        "exists (select 1 from stage t where t.kind = step.kind and t.device = step.device and t.advertised_at > @alive)";

    /// <summary>Milliseconds before which an advertisement is too old to count.</summary>
    public long Alive(long now) => now - (long)options.StageLifetime.TotalMilliseconds;

    /// <summary>The text that a claim and a step are matched by.</summary>
    public static string Offer(string kind, string version, string numericsClass) => $"{kind}@{version}@{numericsClass}";

    /// <summary>The numerics class in an offer.</summary>
    public static string NumericsClassOf(string offer) => offer.Split('@', 3)[^1];

    /// <inheritdoc cref="Offer"/>
    public static string OfferOf(StageCode code) => Offer(code.Kind, code.Version, code.NumericsClass);

    /// <summary>Takes an advertisement.</summary>
    public async Task AdvertiseAsync(StageAdvertised stage, CancellationToken cancellationToken)
    {
        await database.WriteAsync(transaction => transaction.ExecuteAsync(
            """
            insert into stage (number, kind, device, version, numerics_class, schema, traits, spare, first_seen_at, advertised_at)
            values ((select coalesce(max(number), 0) + 1 from stage), @Kind, @Device, @Version, @NumericsClass, @schema, @traits, @spare, @Now, @Now)
            on conflict (kind, device, version, numerics_class) do update set
                schema = excluded.schema, traits = excluded.traits, advertised_at = excluded.advertised_at,
                spare = case when excluded.spare = 0 then 0 else stage.spare end
            """,
            new
            {
                stage.Kind, stage.Device, stage.Version, stage.NumericsClass, schema = stage.Schema.GetRawText(),
                traits = stage.Traits is null ? null : JsonColumn.Write(stage.Traits), spare = stage.IsSpare ? 1 : 0, transaction.Now,
            }), cancellationToken).ConfigureAwait(false);
        wakeups.AfterChange();
        Interlocked.Exchange(ref _nextOffer, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    /// <summary>Whether everything that a worker offers is known here as offered; if not, what it advertised was lost.</summary>
    public Task<bool> KnowsAsync(IReadOnlyList<StageOffer> offers, IReadOnlyList<string> devices, CancellationToken cancellationToken) =>
        database.ReadAsync(async connection =>
        {
            var known = (await connection.QueryAsync<StageRow>(
                $"select kind, device, version, numerics_class from stage where advertised_at > @alive and {database.Dialect.In("device", "devices")}",
                new { alive = Alive(database.Now), devices = database.Dialect.List(devices) }).ConfigureAwait(false))
                .Select(s => (s.Device, Offer(s.Kind, s.Version, s.NumericsClass))).ToHashSet();
            return devices.All(d => offers.Where(o => o.Device is null || o.Device == d)
                .All(o => known.Contains((d, Offer(o.Kind, o.Version, o.NumericsClass)))));
        }, cancellationToken);

    /// <summary>Ends when a worker next says to this process what it offers. Ask for it before looking at what is offered now.</summary>
    public Task NextOffer() => _nextOffer.Task;

    /// <inheritdoc/>
    public async ValueTask<StageCode?> FindAsync(string kind, string device, CancellationToken cancellationToken) =>
        (await FindLiveAsync(kind, device, cancellationToken).ConfigureAwait(false))?.Code;

    /// <summary>The code that new steps of a kind are computed for, or null when no live worker offers it.</summary>
    public Task<StageRow?> FindLiveAsync(string kind, string device, CancellationToken cancellationToken) =>
        database.ReadAsync(connection => connection.QueryFirstOrDefaultAsync<StageRow>(
            """
            select kind, version, numerics_class, traits from stage
             where kind = @kind and device = @device and advertised_at > @alive
             order by spare, number desc, version, numerics_class limit 1
            """,
            new { kind, device, alive = Alive(database.Now) }), cancellationToken);

    /// <summary>The newest schema of every kind ever offered, rather one that a live worker offers: planning works while no worker is up.</summary>
    public Task<IReadOnlyList<StageAdvertised>> ListAsync(CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<StageAdvertised>>(async connection =>
        {
            var rows = await connection.QueryAsync<StageRow>(
                "select * from stage order by case when advertised_at > @alive then 0 else 1 end, number desc",
                new { alive = Alive(database.Now) }).ConfigureAwait(false);
            return
            [
                .. rows.DistinctBy(r => (r.Kind, r.Device)).Select(r => new StageAdvertised
                {
                    Kind = r.Kind,
                    Device = r.Device,
                    Version = r.Version,
                    NumericsClass = r.NumericsClass,
                    Schema = JsonColumn.Read<System.Text.Json.JsonElement>(r.Schema),
                    Traits = r.Code.Traits,
                }),
            ];
        }, cancellationToken);
}

/// <summary>An offered stage as the database holds it.</summary>
internal sealed class StageRow
{
    public string Kind { get; init; } = "";
    public string Device { get; init; } = "cpu";
    public string Version { get; init; } = "";
    public string NumericsClass { get; init; } = "";
    public string Schema { get; init; } = "";
    public string? Traits { get; init; }

    /// <summary>The code for step keys.</summary>
    public StageCode Code => new(Kind, Version, NumericsClass, Traits is null ? TraitsOfOldWorkers.Of(Kind) : JsonColumn.Read<StageTraits>(Traits)!);
}
