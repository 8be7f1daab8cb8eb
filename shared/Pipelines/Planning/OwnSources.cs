using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Planning;

/// <summary>
/// The user's files in steps that name them by themselves (<c>uses: dataset, with: { source: "file:a.txt" }</c>): located, admitted and
/// fingerprinted as those that the planner makes steps for.
/// </summary>
internal sealed class OwnSources(PlanningContext context, string baseDirectory, ProblemList problems)
{
    public void Locate(StepDraft step)
    {
        foreach (var (option, fingerprint) in step.Stage?.Traits.Fingerprints ?? new Dictionary<string, string>())
        {
            if (step.Options.Values[option] is not JsonValue value || !value.TryGetValue<string>(out var text) || !IsLocated(text))
                continue;
            try
            {
                var source = DatasetSource.Locate(text, baseDirectory, context.Admit, step.Stage!.Traits.Corpora);
                step.Options.Values[option] = source;
                if (IsOwn(text) && step.Options.Values[fingerprint] is null && context.Fingerprint is { } digest)
                    step.Options.Values[fingerprint] = digest(source);
            }
            catch (UserInputException e)
            {
                problems.Add(step.Options.PlaceOf(option), $"'{option}': {e.Message}");
            }
        }
    }

    private static bool IsLocated(string text) => IsOwn(text) || text.StartsWith(ArtifactForms.Corpus, StringComparison.Ordinal);

    private static bool IsOwn(string text) => ArtifactForms.Dataset.Any(
        form => form != ArtifactForms.Corpus && text.StartsWith(form, StringComparison.Ordinal));
}
