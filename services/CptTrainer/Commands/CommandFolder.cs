using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Stages;

namespace Espalier.CptTrainer.Commands;

/// <summary>
/// The folder of a program: <c>model</c> and <c>data</c> are its inputs, <c>state</c> is what it keeps for a later attempt on the same
/// machine, and everything else is what it makes.
/// </summary>
internal sealed class CommandFolder
{
    public const string Model = "model", Data = "data", State = "state";

    private static readonly string[] Given = [Model, Data, State];

    private CommandFolder(string path) => Path = path;

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>Makes a folder of a step's own, with nothing of an earlier attempt in it but <c>state</c>.</summary>
    /// <param name="root">Folder below which programs have theirs.</param>
    /// <param name="context">The step.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static async Task<CommandFolder> OpenAsync(string root, StageContext context, CancellationToken cancellationToken)
    {
        var folder = new CommandFolder(System.IO.Path.Combine(root, "commands", KeyOf(context)));
        Directory.CreateDirectory(System.IO.Path.Combine(folder.Path, State));
        foreach (var entry in new DirectoryInfo(folder.Path).EnumerateFileSystemInfos().Where(e => e.Name != State))
            Remove(entry);
        if (context.FindModel() is { } model)
        {
            var export = new ExportOptions { Progress = new ByteProgress(context.Progress, "laying out the model") };
            await HuggingFaceExporter.ExportAsync(
                context.Artifacts, model, System.IO.Path.Combine(folder.Path, Model), export, cancellationToken).ConfigureAwait(false);
        }
        if (context.Inputs.SingleOrDefault(i => i.Output == Data) is { } data)
            await WriteFilesAsync(context, data.Artifact, System.IO.Path.Combine(folder.Path, Data), cancellationToken).ConfigureAwait(false);
        return folder;
    }

    /// <summary>What a step's folder is called.</summary>
    public static string KeyOf(StageContext context) => context.Step.Key.Hex[..32];

    /// <summary>A folder that the program was asked to write, checked before it runs.</summary>
    /// <param name="name">As the options name it.</param>
    /// <exception cref="UserInputException">It is not a folder of the program's own.</exception>
    public static void Check(string name)
    {
        var parts = name.Split('/');
        if (name.Length == 0 || System.IO.Path.IsPathRooted(name) || name.Contains('\\', StringComparison.Ordinal) || parts.Any(p => p is "" or "." or "..")
            || Given.Contains(parts[0]))
            throw new UserInputException(
                $"outputs.model is '{name}': name a folder below that of the program, such as out, other than {string.Join(", ", Given)}.");
    }

    /// <summary>The folder with what the program made.</summary>
    /// <exception cref="UserInputException">It is not there, or lies elsewhere.</exception>
    public string Find(string name)
    {
        var path = System.IO.Path.Combine(Path, name);
        if (!Directory.Exists(path))
            throw new UserInputException($"The program ended well, and there is no folder '{name}' in which its model should be. What it left: {Contents()}.");
        // A link would make the folder's content that of a place nobody has named.
        for (var at = new DirectoryInfo(path); at is not null && at.FullName.Length > Path.Length; at = at.Parent)
        {
            if (at.LinkTarget is not null)
                throw new UserInputException(
                    $"'{name}' leads out of the program's folder through a link: let the program write the model into '{name}' itself.");
        }
        return path;
    }

    /// <summary>Deletes it.</summary>
    public void Delete() => Directory.Delete(Path, recursive: true);

    private static async Task WriteFilesAsync(StageContext context, ManifestRef data, string folder, CancellationToken cancellationToken)
    {
        var manifest = await context.Artifacts.ReadAsync(data.Root, cancellationToken).ConfigureAwait(false);
        foreach (var (file, index) in manifest.Files.Select((f, i) => (f, i)))
        {
            context.Progress.Report("laying out the data", index, manifest.Files.Count, "files");
            var path = System.IO.Path.Combine(folder, file.Path);
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
            var content = await context.Artifacts.Blobs.OpenReadAsync(file.Blob, 0, null, cancellationToken).ConfigureAwait(false);
            await using var _ = content.ConfigureAwait(false);
            var target = File.Create(path);
            await using var __ = target.ConfigureAwait(false);
            await content.CopyToAsync(target, cancellationToken).ConfigureAwait(false);
        }
    }

    private string Contents()
    {
        var names = new DirectoryInfo(Path).EnumerateFileSystemInfos().Select(e => e.Name).Except(Given).Order(StringComparer.Ordinal).Take(10).ToList();
        return names.Count == 0 ? "nothing" : string.Join(", ", names);
    }

    private static void Remove(FileSystemInfo entry)
    {
        if (entry is DirectoryInfo { LinkTarget: null } directory)
            directory.Delete(recursive: true);
        else
            entry.Delete();
    }
}
