using System.Data.Common;
using Dapper;
using Espalier.Contracts;

namespace Espalier.Orchestrator.Ledger;

/// <summary>An order of runs in SQL, and where in it a page begins: behind one run, whatever has come since.</summary>
internal static class RunOrderSql
{
    /// <summary>The order by which pages of a table <c>r</c> of runs are read; those found by their ids need no index of the order.</summary>
    public static string Of(RunOrder order, bool isByIds)
    {
        var number = isByIds ? "r.number + 0" : "r.number";
        return Key(order.Field) is { } key
            ? $"order by {key} {Word(order)}, {number} desc, r.id desc"
            : $"order by {number} {Word(order)}, r.id {Word(order)}";
    }

    /// <summary>What is true of the runs behind the place that <see cref="PlaceAsync"/> has found.</summary>
    public static string After(RunOrder order)
    {
        var sign = order.IsDescending ? '<' : '>';
        return Key(order.Field) is { } key
            ? $"({key} {sign} @key or ({key} = @key and (r.number, r.id) < (@number, @before)))"
            : $"(r.number, r.id) {sign} (@number, @before)";
    }

    /// <summary>The place of a run in an order.</summary>
    /// <exception cref="UserInputException">There is no such run.</exception>
    public static async Task<object> PlaceAsync(DbConnection connection, RunOrder order, Guid run, long now)
    {
        var before = run.ToString();
        var key = Key(order.Field) ?? "0";
        // Where durations count, what is archived is in no list.
        var archived = order.Field == RunOrderField.Duration ? "" : $" union all select r.number, {key} from run_archive r where r.id = @before";
        var places = await connection.QueryAsync<(long Number, object Key)>(
            $"select r.number, {key} from run r where r.id = @before{archived}", new { before, now }).ConfigureAwait(false);
        foreach (var (number, value) in places)
            return new { before, number, key = value };
        throw new UserInputException($"There is no run {run} behind which a list could go on.");
    }

    private static string? Key(RunOrderField field) => field switch
    {
        RunOrderField.Name => "r.name",
        RunOrderField.Duration => "coalesce(coalesce(r.ended_at, @now) - r.started_at, -1)",
        _ => null,
    };

    private static string Word(RunOrder order) => order.IsDescending ? "desc" : "asc";
}
