using System.Data.Common;
using System.Text.Json;
using Dapper;
using Espalier.Contracts;
using Espalier.Registry.Events;
using Espalier.Registry.Queries;

namespace Espalier.Registry.Gates;

/// <summary>What guards an alias.</summary>
/// <param name="Alias">The alias.</param>
/// <param name="Rule">Condition on the version (<see cref="PromotionRule"/>); empty for none.</param>
/// <param name="Approvals">How many persons must approve.</param>
public sealed record Gate(string Alias, string Rule, int Approvals);

/// <summary>A verdict on pointing an alias to a version.</summary>
public sealed record Approval(string Alias, string Actor, bool Approve, string Reason, DateTimeOffset At);

/// <summary>What a gate said when it was asked.</summary>
public sealed record GateDecision(
    string Alias, int Version, bool Allowed, string Rule, IReadOnlyList<string> Failed, int Approvals, string Actor, DateTimeOffset At);

/// <summary>Gates, approvals, and the record of decisions.</summary>
public sealed class PromotionGates(RegistryDatabase database, TimeProvider time)
{
    private const int MostApprovals = 20, MostGates = 100, LongestReason = 2000, RecentVersions = 100;

    /// <summary>The gates of a model.</summary>
    public async Task<IReadOnlyList<Gate>> ListAsync(string model, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var rows = await connection.QueryAsync<(string Alias, string Rule, long Approvals)>(
            "select alias, rule, cast(approvals as bigint) from registry_gate where name = @model order by alias", new { model }).ConfigureAwait(false);
        return [.. rows.Select(r => new Gate(r.Alias, r.Rule, (int)r.Approvals))];
    }

    /// <summary>Replaces the gates of a model.</summary>
    /// <exception cref="Search.SearchException">A rule cannot be read.</exception>
    /// <exception cref="UserInputException">An alias or a number is wrong, or a rule asks for a metric that no version has.</exception>
    public async Task ReplaceAsync(string model, IReadOnlyList<Gate> gates, string actor, CancellationToken cancellationToken)
    {
        if (gates.Count > MostGates)
            throw new UserInputException($"{gates.Count} gates; a model has at most {MostGates}.");
        foreach (var gate in gates)
        {
            if (gate?.Alias is null)
                throw new UserInputException("Every gate names an alias: {\"alias\": \"champion\", \"rule\": \"loss < 3\", \"approvals\": 1}.");
            ModelRegistry.ValidateAlias(gate.Alias);
            PromotionRule.Parse(gate.Rule);
            if (gate.Approvals is < 0 or > MostApprovals)
                throw new UserInputException($"The gate of '{gate.Alias}' asks for {gate.Approvals} approvals; 0 to {MostApprovals} are possible.");
        }
        if (gates.GroupBy(g => g.Alias).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new UserInputException($"There are two gates for '{twice.Key}'; join their rules with 'and'.");
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        await CheckMetricsAsync(connection, model, gates).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await connection.ExecuteAsync("delete from registry_gate where name = @model", new { model }, transaction).ConfigureAwait(false);
        foreach (var gate in gates)
        {
            await connection.ExecuteAsync(
                "insert into registry_gate(name, alias, rule, approvals, updated_by, updated_at) values (@model, @Alias, @Rule, @Approvals, @actor, @Now)",
                new { model, gate.Alias, Rule = gate.Rule ?? "", gate.Approvals, actor, Now = Timestamps.Write(time.GetUtcNow()) },
                transaction).ConfigureAwait(false);
        }
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// A rule over a metric that no version of the model has would refuse every version. Gates that stay as they are pass: what they ask for
    /// may have been deleted since. A model without any metric yet takes every name.
    /// </summary>
    private static async Task CheckMetricsAsync(DbConnection connection, string model, IReadOnlyList<Gate> gates)
    {
        var kept = (await connection.QueryAsync<(string Alias, string Rule)>(
            "select alias, rule from registry_gate where name = @model", new { model }).ConfigureAwait(false)).ToHashSet();
        var asked = gates.Where(g => !kept.Contains((g.Alias, g.Rule ?? "")))
            .SelectMany(g => PromotionRule.Parse(g.Rule ?? "").Metrics, (gate, metric) => (gate.Alias, Metric: metric)).ToList();
        if (asked.Count == 0)
            return;
        var measured = (await connection.QueryAsync<string>(
            """
            select distinct metric from registry_fact
            where version_id in (select id from registry_version where name = @model order by version desc limit @RecentVersions)
            """,
            new { model, RecentVersions }).ConfigureAwait(false)).ToHashSet(StringComparer.Ordinal);
        foreach (var (alias, metric) in asked.Where(a => measured.Count > 0 && !measured.Contains(a.Metric)))
        {
            var isOlder = await connection.QueryFirstOrDefaultAsync<long?>(
                "select v.id from registry_version v join registry_fact f on f.version_id = v.id where v.name = @model and f.metric = @metric limit 1",
                new { model, metric }).ConfigureAwait(false);
            if (isOlder is null)
            {
                throw new UserInputException(
                    $"The gate of '{alias}' asks for '{metric}', which no version of '{model}' has: {NearestWord.Hint(metric, measured)}");
            }
        }
    }

    /// <summary>Records a verdict; a later one of the same person replaces it.</summary>
    public async Task ApproveAsync(
        string model, int version, string alias, bool approve, string reason, string actor, CancellationToken cancellationToken)
    {
        ModelRegistry.ValidateAlias(alias);
        if (reason.Length > LongestReason)
            throw new UserInputException($"The reason has {reason.Length} characters; at most {LongestReason} are taken.");
        StorableText.Check(reason, "The reason");
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        await connection.ExecuteAsync(
            """
            insert into registry_approval(name, version, alias, actor, verdict, reason, created_at, number)
            values (@model, @version, @alias, @actor, @verdict, @reason, @Now,
                (select coalesce(max(number), 0) + 1 from registry_approval where name = @model and version = @version))
            on conflict (name, version, alias, actor) do update set
                verdict = excluded.verdict, reason = excluded.reason, created_at = excluded.created_at, number = excluded.number
            """,
            new
            {
                model, version, alias, actor, verdict = approve ? "approve" : "reject", reason, Now = Timestamps.Write(time.GetUtcNow()),
            }).ConfigureAwait(false);
    }

    /// <summary>The verdicts on a version, oldest first.</summary>
    public async Task<IReadOnlyList<Approval>> ApprovalsAsync(string model, int version, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        return await ReadApprovalsAsync(connection, null, model, version, null).ConfigureAwait(false);
    }

    /// <summary>What gates said, newest first.</summary>
    public async Task<IReadOnlyList<GateDecision>> DecisionsAsync(string model, int limit, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var rows = await connection.QueryAsync<(string Alias, long Version, long Allowed, string Rule, string Failed, long Approvals, string Actor, string At)>(
            """
            select alias, cast(version as bigint), cast(allowed as bigint), rule, failed, cast(approvals as bigint), actor, decided_at
            from registry_decision where name = @model order by number desc limit @limit
            """,
            new { model, limit }).ConfigureAwait(false);
        return [.. rows.Select(r => new GateDecision(
            r.Alias, (int)r.Version, r.Allowed != 0, r.Rule, JsonSerializer.Deserialize<string[]>(r.Failed)!, (int)r.Approvals, r.Actor,
            Timestamps.Read(r.At)))];
    }

    /// <summary>Asks the gate of an alias, if it has one, and writes down what it says; the refusal, or null.</summary>
    internal static async Task<GateRefusedException?> DecideAsync(
        DbConnection connection, DbTransaction transaction, string model, AliasMove move, Guid? runId)
    {
        var gate = await connection.QuerySingleOrDefaultAsync<(string Rule, long Approvals)?>(
            "select rule, cast(approvals as bigint) from registry_gate where name = @model and alias = @Alias",
            new { model, move.Alias }, transaction).ConfigureAwait(false);
        if (gate is not { } found)
            return null;
        if (await VersionReader.FindAsync(connection, model, move.Version, transaction).ConfigureAwait(false) is not { } version)
            return null;
        var current = move.Previous is { } number
            ? await VersionReader.FindAsync(connection, model, number, transaction).ConfigureAwait(false)
            : null;
        var verdicts = await ReadApprovalsAsync(connection, transaction, model, move.Version, move.Alias).ConfigureAwait(false);
        var approvals = verdicts.Count(v => v.Approve);
        var failed = PromotionRule.Parse(found.Rule).Failures(version, current).ToList();
        failed.AddRange(verdicts.Where(v => !v.Approve).Select(v => $"{v.Actor} rejects it{(v.Reason.Length > 0 ? $": {v.Reason}" : "")}"));
        if (approvals < found.Approvals)
            failed.Add($"{approvals} of {found.Approvals} approvals");
        await connection.ExecuteAsync(
            """
            insert into registry_decision(name, alias, version, allowed, rule, failed, approvals, actor, decided_at)
            values (@model, @Alias, @Version, @allowed, @Rule, @failed, @approvals, @Actor, @At)
            """,
            new
            {
                model, move.Alias, move.Version, allowed = failed.Count == 0 ? 1 : 0, found.Rule, failed = JsonSerializer.Serialize(failed),
                approvals, move.Actor, At = Timestamps.Write(move.MovedAt),
            },
            transaction).ConfigureAwait(false);
        await RegistryEvents.AddAsync(connection, transaction, new GateDecided(model, move.Alias, move.Version, failed.Count == 0, move.Actor)
        {
            Rule = found.Rule, Failed = failed, Approvals = approvals, RunId = runId,
        }, Timestamps.Write(move.MovedAt)).ConfigureAwait(false);
        return failed.Count == 0 ? null : new GateRefusedException($"{model}@{move.Alias}", found.Rule, failed);
    }

    private static async Task<IReadOnlyList<Approval>> ReadApprovalsAsync(
        DbConnection connection, DbTransaction? transaction, string model, int version, string? alias)
    {
        var rows = await connection.QueryAsync<(string Alias, string Actor, string Verdict, string Reason, string At)>(
            $"""
            select alias, actor, verdict, reason, created_at from registry_approval
            where name = @model and version = @version {(alias is null ? "" : "and alias = @alias")} order by number, actor
            """,
            new { model, version, alias }, transaction).ConfigureAwait(false);
        return [.. rows.Select(r => new Approval(r.Alias, r.Actor, r.Verdict == "approve", r.Reason, Timestamps.Read(r.At)))];
    }
}
