using Espalier.Cli.Commands;
using Espalier.Cli.Hosting;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Stages;

namespace Espalier.Cli.SingleStage;

/// <summary>One stage to run, checked as far as that goes without opening the model.</summary>
/// <param name="Stage">The stage.</param>
/// <param name="All">All stages; the dataset stage is needed for options that name text.</param>
/// <param name="Inputs">Model folders.</param>
/// <param name="Output">Full path of the folder to make.</param>
/// <param name="Options">Valid options.</param>
/// <param name="BaseDirectory">Where relative paths within the options start.</param>
internal sealed record StageRequest(
    IStage Stage, IReadOnlyList<IStage> All, IReadOnlyList<string> Inputs, string Output, OptionDocument Options, string BaseDirectory)
{
    /// <summary>Reads the command line.</summary>
    /// <exception cref="UserInputException">With every problem of the options.</exception>
    public static StageRequest Read(EspalierHome home, string kind, string[] inputs, string output, string with)
    {
        var all = Hosting.Stages.All(home);
        var stage = Hosting.Stages.Find(all, kind);
        if (kind == StageKinds.Register)
            throw new UserInputException("register needs a run; use espalier import DIR --name NAME.");
        CheckInputs(kind, inputs);
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(output));
        if (File.Exists(full) || (Directory.Exists(full) && Directory.EnumerateFileSystemEntries(full).Any()))
            throw new UserInputException($"--output {output} exists already; choose another folder, or remove it first.");
        CheckWritable(output, full);

        var isInline = with.AsSpan().TrimStart() is ['{', ..];
        var options = OptionReader.Parse(
            OptionSchema.For(stage.OptionsType), isInline ? with : SharedOptions.ReadFile(with), isInline ? "--with" : with, stage.OptionsType);
        return new StageRequest(stage, all, inputs, full, options, isInline ? Environment.CurrentDirectory : Path.GetDirectoryName(Path.GetFullPath(with))!);
    }

    /// <summary>Finds out now, and not when the work is done, that the output cannot be written.</summary>
    private static void CheckWritable(string output, string full)
    {
        var parent = Path.GetDirectoryName(full);
        while (parent is not null && !Path.Exists(parent))
            parent = Path.GetDirectoryName(parent);
        if (parent is null || File.Exists(parent))
            throw new UserInputException($"--output {output}: {parent ?? full} is not a folder, so nothing can be created in it.");
        try
        {
            Directory.Delete(Directory.CreateDirectory(Path.Combine(parent, $".espalier-{Guid.NewGuid():n}")).FullName);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UserInputException($"--output {output}: {parent} cannot be written to: {exception.Message}", exception);
        }
    }

    private static void CheckInputs(string kind, string[] inputs)
    {
        if (inputs.Length == 0 && kind is not (StageKinds.Train or StageKinds.Dataset or StageKinds.Command))
            throw new UserInputException($"{kind} works on a model: name its folder with --input.");
        if (inputs.Length > 1 && kind is not (StageKinds.Evaluate or StageKinds.Merge))
            throw new UserInputException($"{kind} takes one --input; only evaluate and merge take several.");
        foreach (var input in inputs.Where(i => !Directory.Exists(i)))
            throw new UserInputException(
                File.Exists(input) ? $"--input {input} is a file; name the folder that holds config.json." : $"--input {input}: there is no such folder.");
    }
}
