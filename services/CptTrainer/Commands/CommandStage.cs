using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.CptTrainer.Commands.Kubernetes;
using Espalier.CptTrainer.Commands.Local;
using Espalier.Stages;
using Espalier.Stages.Worker;
using Espalier.Surgery.Checkpoints;

namespace Espalier.CptTrainer.Commands;

/// <summary>
/// Runs somebody else's program as a step: torchrun, Megatron, axolotl, a script. It finds its inputs in a folder of its own and leaves a
/// checkpoint there, which is checked and taken into the store with its lineage. The unit of work is the whole program; what it keeps in
/// <c>state</c> is there again when it is started anew on the same machine.
/// </summary>
/// <param name="grace">How long a program may take to end when it is asked to; less than a worker gives a stage to stop.</param>
/// <param name="jobs">How Jobs of a cluster are made.</param>
/// <param name="poll">How often a Job is looked at.</param>
public sealed class CommandStage(TimeSpan grace, KubernetesJobOptions jobs, TimeSpan poll) : IStage
{
    private static readonly TimeSpan UsualGrace = TimeSpan.FromSeconds(10), UsualPoll = TimeSpan.FromSeconds(2);

    /// <summary>The stage with the usual times.</summary>
    public CommandStage(KubernetesJobOptions? jobs = null)
        : this(UsualGrace, jobs ?? new KubernetesJobOptions(), UsualPoll)
    {
    }

    /// <inheritdoc/>
    public string Kind => StageKinds.Command;

    /// <inheritdoc/>
    public Type OptionsType => typeof(CommandOptions);

    /// <inheritdoc/>
    public StageTraits Traits { get; } = new()
    {
        Summary = "Runs a program of your own, such as torchrun or a script, on a model and on data, and takes in the model that it makes. "
            + "Only workers whose settings allow it do so (worker:commands), and espalier run asks for --allow-commands.",
        Outputs = [OutputNames.Model],
        DependsOnNumerics = false, // the same command, version and inputs count as the same work, whatever computes it
        RunsPrograms = true,
        Clusters = new StageClusters("image", ["image", "gpus", "nodes"]),
    };

    /// <inheritdoc/>
    public async Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        var options = context.ReadOptions<CommandOptions>();
        var isJob = context.Device == DeviceNames.Kubernetes;
        Check(options, isJob);
        IProgramRunner runner = isJob ? new JobRunner(jobs, grace, poll) : new ProcessRunner(context.Cache, grace);
        await runner.EndEarlierAsync(CommandFolder.KeyOf(context), cancellationToken).ConfigureAwait(false);
        var folder = await CommandFolder.OpenAsync(runner.Root, context, cancellationToken).ConfigureAwait(false);
        var reports = new ProgramReports(context.Progress);
        context.Progress.Report("running", 0, 0, "");
        var end = await runner.RunAsync(new ProgramRun(options, folder), reports, cancellationToken).ConfigureAwait(false);
        if (end.Code != 0)
            throw new StageFailedException(end.IsOutOfMemory ? FailureClass.Resource : FailureClass.Transient, DescribeEnd(options, end, reports));
        var (model, notes) = await TakeInAsync(context, folder.Find(options.Outputs.Model), cancellationToken).ConfigureAwait(false);
        folder.Delete();
        return new StageResult { Outputs = new Dictionary<string, ManifestRef> { [OutputNames.Model] = model }, Metrics = reports.Metrics, Notes = notes };
    }

    private static void Check(CommandOptions options, bool isJob)
    {
        if (isJob != options.Image is not null || !isJob && (options.Gpus > 0 || options.Nodes > 1))
            throw new UserInputException(
                $"image, gpus and nodes are for Jobs of a cluster, which have an image: they belong to a step with device: {DeviceNames.Kubernetes}.");
        if (options.Command.Count == 0 || options.Command[0].Length == 0)
            throw new UserInputException("command is empty: name a program, such as [torchrun, train.py].");
        if (options.Command.Concat(options.Environment?.Values ?? []).Any(t => t.Contains('\0', StringComparison.Ordinal)))
            throw new UserInputException("command and environment cannot hold the character NUL.");
        if (options.Environment?.Keys.FirstOrDefault(n => n.Length == 0 || n.Contains('=', StringComparison.Ordinal)) is { } name)
            throw new UserInputException($"environment: '{name}' is no name of a variable.");
        if (options.Image is { } image && !image.Contains("@sha256:", StringComparison.Ordinal) && string.IsNullOrEmpty(options.Version))
            throw new UserInputException(
                $"image: '{image}' is a tag, which can come to mean another image: name it by digest (NAME@sha256:...), or give a 'version' beside it.");
        CommandFolder.Check(options.Outputs.Model);
    }

    private static async Task<(ManifestRef Model, IReadOnlyList<string> Notes)> TakeInAsync(
        StageContext context, string folder, CancellationToken cancellationToken)
    {
        List<string> notes = [];
        List<Parent> parents = [];
        if (context.FindModel() is { } source)
            parents.Add(new Parent(source.Root, "trained", context.Step.Key));
        if (context.Inputs.SingleOrDefault(i => i.Output == CommandFolder.Data) is { } data)
            parents.Add(new Parent(data.Artifact.Root, "data", context.Step.Key));
        var model = await HuggingFaceImporter.ImportAsync(context.Artifacts, folder, new ImportOptions
        {
            Check = ModelCheck.Of(Path.GetFileName(folder)),
            Parents = parents,
            Note = note => notes.Add(note.Replace(folder + Path.DirectorySeparatorChar, "", StringComparison.Ordinal)),
            Progress = new ByteProgress(context.Progress, "taking the model in"),
        }, cancellationToken).ConfigureAwait(false);
        notes.Sort(StringComparer.Ordinal);
        return (model, notes);
    }

    private static string DescribeEnd(CommandOptions options, ProgramEnd end, ProgramReports reports)
    {
        var way = end.Code > 128 ? $"was ended by signal {end.Code - 128}" : $"ended with exit code {end.Code}";
        var place = end.Place is null ? "" : $" {end.Place}";
        var memory = end.IsOutOfMemory ? ", which is what the system does when memory runs out" : "";
        var said = reports.LastLines.Length > 0 ? $" It last said: {reports.LastLines}" : " It said nothing.";
        return $"The program '{options.Command[0]}' {way}{place}{memory}.{said}";
    }
}
