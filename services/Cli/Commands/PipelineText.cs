using Espalier.Cli.Hosting;
using Espalier.Contracts;
using Espalier.Pipelines.Planning;
using Espalier.Datasets;

namespace Espalier.Cli.Commands;

/// <summary>A pipeline file that has been read and checked.</summary>
/// <param name="Path">As the user wrote it.</param>
/// <param name="Text">Its text.</param>
/// <param name="Parameters">Values from the command line.</param>
/// <param name="Plan">Its steps.</param>
/// <param name="Models">Models and datasets registered when it was read.</param>
internal sealed record PipelineText(string Path, string Text, IReadOnlyDictionary<string, string> Parameters, PipelinePlan Plan, RegisteredModels Models)
{
    /// <summary>Reads a file and plans it with every stage's own validators.</summary>
    /// <exception cref="UserInputException">It is wrong; with every problem.</exception>
    public static async Task<PipelineText> ReadAsync(string path, string[] parameters, EspalierHome home, CancellationToken cancellationToken)
    {
        var text = SharedOptions.ReadFile(path);
        var values = SharedOptions.ReadParameters(parameters);
        var models = await RegisteredModels.LoadAsync(home, cancellationToken).ConfigureAwait(false);
        var plan = PipelinePlanner.Plan(text, path, values, new PlanningContext
        {
            Stages = Hosting.Stages.Definitions(Hosting.Stages.All(home)),
            Fingerprint = source => DatasetBuilder.Fingerprint(source, cancellationToken),
            Examine = source => DatasetBuilder.Examine(
                new TextSource(source.From) { Field = source.Field, Name = source.Name }, cancellationToken),
            FindRegistered = models.Find,
        });
        return new PipelineText(path, text, values, plan, models);
    }

    /// <summary>As a request to the orchestrator.</summary>
    public SubmitRun ToRequest(Guid runId) => new() { RunId = runId, Pipeline = Text, FileName = System.IO.Path.GetFullPath(Path), Parameters = Parameters };
}
