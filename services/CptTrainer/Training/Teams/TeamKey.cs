using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Stages;

namespace Espalier.CptTrainer.Training.Teams;

/// <summary>The key of the step whose work a team does: that of the first member.</summary>
internal static class TeamKey
{
    private const string Member = "member";

    /// <summary>Finds it: the first member is the step as the file has it, and the others differ from it in their number only.</summary>
    public static Digest Of(StageContext context, TrainOptions options)
    {
        if (options.Member is null)
            return context.Step.Key;
        var shared = JsonObject.Create(context.Options)!;
        shared.Remove(Member);
        return context.KeyWith?.Invoke(JsonSerializer.SerializeToElement(shared, WireJson.Options))
            ?? throw new UserInputException($"Step '{context.Step.Name}' helps another with its work, and can run beside that only: run the pipeline.");
    }
}
