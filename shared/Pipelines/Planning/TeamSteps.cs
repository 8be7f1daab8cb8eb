using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;

namespace Espalier.Pipelines.Planning;

/// <summary>
/// Adds the steps that help another with its work (<see cref="StageTraits.Team"/>). They read what it reads and need what it needs, so they
/// run at the same time; nothing needs them, since the step itself can do all of the work.
/// </summary>
internal sealed class TeamSteps(HashSet<string> takenNames)
{
    /// <summary>A step, and those that help it.</summary>
    public IEnumerable<PlannedStep> With(PlannedStep step, StageTeam? team)
    {
        yield return step;
        for (var member = 2; member <= WorkersOf(step, team); member++)
        {
            var options = JsonObject.Create(step.Options)!;
            options[team!.Member] = member;
            yield return step with
            {
                Name = FreeName($"{step.Name}-worker-{member}"),
                Description = $"Does a share of the work of '{step.Name}'.",
                Options = JsonSerializer.SerializeToElement(options, WireJson.Options),
                IsImplicit = true,
            };
        }
    }

    private static int WorkersOf(PlannedStep step, StageTeam? team) =>
        team is not null && step.Options.TryGetProperty(team.Workers, out var workers) && workers.ValueKind == JsonValueKind.Number ? workers.GetInt32() : 1;

    private string FreeName(string name)
    {
        var result = name;
        for (var i = 2; !takenNames.Add(result); i++)
            result = $"{name}-{i}";
        return result;
    }
}
