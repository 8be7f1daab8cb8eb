using System.Text.Json;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Orchestrator.Api;

/// <summary>A run beside others.</summary>
/// <param name="Run">The run with its steps and what they measured.</param>
/// <param name="Parameters">Values of its parameters.</param>
/// <param name="Options">Options of its steps as <c>STEP.OPTION</c>, with defaults filled in; empty where an archive does not tell.</param>
public sealed record ComparedRun(RunView Run, IReadOnlyDictionary<string, string> Parameters, IReadOnlyDictionary<string, string> Options);

/// <summary>Runs beside each other: <c>/api/v1/runs/compare?run=tiny%2312&amp;run=ID</c>.</summary>
internal static class RunComparisonApi
{
    private const int Most = 12;

    public static async Task<IResult> CompareAsync(string[] run, IRunReader runs, RunSources sources, CancellationToken cancellationToken)
    {
        if (run.Length is 0 or > Most)
            return Refused($"1 to {Most} runs are compared, and this asks for {run.Length}: ?run=ID&run=ID.", StatusCodes.Status400BadRequest);
        var compared = new List<ComparedRun>();
        foreach (var text in run.Distinct())
        {
            var (id, refusal) = await RunNamesApi.FindAsync(text, runs, cancellationToken).ConfigureAwait(false);
            if (refusal is not null)
                return refusal;
            if (compared.Exists(c => c.Run.RunId == id))
                continue;
            if (await runs.FindAsync(id, cancellationToken).ConfigureAwait(false) is not { } found)
                return Refused($"There is no run {id}.", StatusCodes.Status404NotFound);
            var source = await sources.FindAsync(id, cancellationToken).ConfigureAwait(false);
            var plan = await sources.FindPlanAsync(id, cancellationToken).ConfigureAwait(false) ?? [];
            compared.Add(new ComparedRun(
                found, source?.Parameters ?? new Dictionary<string, string>(), plan.SelectMany(step => Flat(step.Name, step.Options)).ToDictionary()));
        }
        return TypedResults.Ok(compared);
    }

    private static IResult Refused(string reason, int status) => TypedResults.Problem(reason, statusCode: status);

    private static IEnumerable<KeyValuePair<string, string>> Flat(string path, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().SelectMany(p => Flat($"{path}.{p.Name}", p.Value)),
        JsonValueKind.Null or JsonValueKind.Undefined => [],
        _ => [new(path, value.ToString())],
    };
}
