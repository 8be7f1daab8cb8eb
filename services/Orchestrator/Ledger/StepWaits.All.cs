using System.Data.Common;
using Dapper;

namespace Espalier.Orchestrator.Ledger;

/// <summary>Steps of one kind that could run but for one reason, in all runs.</summary>
/// <param name="Kind">Stage kind.</param>
/// <param name="Device">Device class.</param>
/// <param name="Reason">The kind of reason, for programs.</param>
/// <param name="Text">The reason of the one that has waited longest, in a sentence or two.</param>
/// <param name="Number">How many there are.</param>
/// <param name="Since">Since when the one that has waited longest could run.</param>
/// <param name="RunId">Its run.</param>
/// <param name="Run">Name of its run.</param>
/// <param name="Step">Its name.</param>
public sealed record WaitingSteps(
    string Kind, string Device, WaitReason Reason, string Text, long Number, DateTimeOffset Since, Guid RunId, string Run, string Step);

internal sealed partial class StepWaits
{
    private const int MostGroups = 200;

    /// <summary>
    /// Why steps wait that need no other step any more, in all runs: steps that only the same reason can hold are counted together, and the
    /// oldest of them is asked.
    /// </summary>
    public Task<IReadOnlyList<WaitingSteps>> OfAllAsync(CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<WaitingSteps>>(async connection =>
        {
            var now = database.Now;
            var groups = (await connection.QueryAsync<GroupRow>(
                """
                select min(id) as id, count(*) as number from step where state = 'ready'
                 group by kind, device, offer, memory_bytes, case when not_before > @now then 1 else 0 end
                union all
                select min(id), count(*) from step where state = 'waiting' and waiting_on = 0 and same_as is null
                 group by kind, device, case when not_before > @now then 1 else 0 end
                union all
                select min(id), count(*) from step where state = 'waiting' and waiting_on = 0 and same_as is not null group by kind, device
                 order by number desc limit @MostGroups
                """, new { now, MostGroups }).ConfigureAwait(false)).ToDictionary(g => g.Id, g => g.Number);
            if (groups.Count == 0)
                return [];
            var platform = await ReadPlatformAsync(connection, now).ConfigureAwait(false);
            var oldest = await ReadOldestAsync(connection, groups.Keys).ConfigureAwait(false);
            return
            [
                .. oldest.Select(step => (Step: step, Wait: ReasonOf(step, platform, now)))
                    .OrderBy(each => each.Step.Since)
                    .GroupBy(each => (each.Step.Kind, each.Step.Device, each.Wait.Reason))
                    .Select(group => new WaitingSteps(
                        group.Key.Kind, group.Key.Device, group.Key.Reason, group.First().Wait.Text, group.Sum(each => groups[each.Step.Id]),
                        Time(group.First().Step.Since), Guid.Parse(group.First().Step.RunId), group.First().Step.Run, group.First().Step.Name)),
            ];
        }, cancellationToken);

    private StepWait ReasonOf(OldestRow step, Platform platform, long now) => step.State == EnumText.Of(Contracts.StepState.Waiting)
        ? OfWaiting(step.ToStep(), [], new Dictionary<string, Contracts.StepState>(), platform, now)
        : OfReady(step.ToStep(), 0, platform, now);

    /// <summary>The oldest of every group. A step that is not ready yet could run since the last that it needs has ended.</summary>
    private async Task<IReadOnlyList<OldestRow>> ReadOldestAsync(DbConnection connection, IEnumerable<long> ids) =>
        (await connection.QueryAsync<OldestRow>(
            $"""
            select s.id, s.run_id, r.name as run, s.name, s.kind, s.device, s.state, s.waiting_on, s.same_as, s.offer, s.attempt, s.not_before,
                   s.ready_at, s.memory_bytes, s.message, coalesce(s.ready_at, (
                       select max(o.ended_at) from step_need n join step o on o.run_id = n.run_id and o.name = n.needs
                        where n.run_id = s.run_id and n.name = s.name), s.run_created_at) as since
              from step s join run r on r.id = s.run_id where {database.Dialect.In("s.id", "ids")}
            """,
            new { ids = database.Dialect.List(ids.ToList()) }).ConfigureAwait(false)).AsList();

    private sealed class GroupRow
    {
        public long Id { get; init; }
        public long Number { get; init; }
    }

    private sealed class OldestRow
    {
        public long Id { get; init; }
        public string RunId { get; init; } = "";
        public string Run { get; init; } = "";
        public string Name { get; init; } = "";
        public string Kind { get; init; } = "";
        public string Device { get; init; } = "";
        public string State { get; init; } = "";
        public int WaitingOn { get; init; }
        public string? SameAs { get; init; }
        public string? Offer { get; init; }
        public int Attempt { get; init; }
        public long NotBefore { get; init; }
        public long? ReadyAt { get; init; }
        public long? MemoryBytes { get; init; }
        public string Message { get; init; } = "";
        public long Since { get; init; }

        public StepRow ToStep() => new()
        {
            Id = Id, RunId = RunId, Name = Name, Kind = Kind, Device = Device, State = State, WaitingOn = WaitingOn, SameAs = SameAs, Offer = Offer,
            Attempt = Attempt, NotBefore = NotBefore, ReadyAt = ReadyAt, MemoryBytes = MemoryBytes, Message = Message,
        };
    }
}
