using System.CommandLine;
using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Cli.Contexts;
using Espalier.Cli.Hosting;
using Espalier.Cli.Models;
using Espalier.Cli.Client;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Pipelines.Keys;
using Espalier.Registry;
using Espalier.Registry.Api;
using Espalier.Surgery.Checkpoints;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier import DIR --name NAME</c>: a Hugging Face directory becomes a registered model.</summary>
internal static class ImportCommand
{
    private const string Kind = "import";

    public static Command Create(Terminal terminal)
    {
        var directory = new Argument<string>("DIR") { Description = "Folder with config.json and safetensors files." };
        var name = new Option<string>("--name") { Description = "Name in the registry.", Required = true };
        var alias = new Option<string?>("--alias") { Description = "Alias that moves to the new version." };
        var server = new Option<string?>("--server")
        {
            Description = "Address of a registry to send it to, in place of a context; only what it lacks is sent.",
        };
        var key = new Option<string?>("--key") { Description = "API key for --server; also ESPALIER_KEY." };
        var json = SharedOptions.Json();
        var command = new Command(
            "import",
            "Store a Hugging Face directory and register it. Weights that are stored already cost nothing.\n\n"
                + "  espalier import ~/models/OLMoE-1B-7B --name olmoe --alias base")
        {
            directory,
            name,
            alias,
            server,
            key,
            json,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            // What can be refused is refused before gigabytes are read.
            ModelRegistry.ValidateName(parsed.GetRequiredValue(name), "model name");
            if (parsed.GetValue(alias) is { } wanted)
                ModelRegistry.ValidateName(wanted, "alias");
            var context = ContextChoice.Choose(parsed, terminal, orchestrator: null, parsed.GetValue(server), parsed.GetValue(key));
            using var remote = context.IsLocal ? null : new RegistryConnection(context);
            if (remote is not null)
                await remote.CheckAsync(cancellationToken).ConfigureAwait(false);
            var home = EspalierHome.OfThisProcess().Create();
            var store = home.OpenStore();
            var source = parsed.GetRequiredValue(directory);
            var notes = new List<string>();
            var root = await ImportAsync(terminal, store, source, notes, cancellationToken).ConfigureAwait(false);
            if (remote is not null)
                return await SendAsync(
                    terminal, remote, store, root, parsed.GetRequiredValue(name), parsed.GetValue(alias), source, notes, parsed.GetValue(json),
                    cancellationToken).ConfigureAwait(false);
            await using var registry = await OpenRegistry.OpenAsync(home, cancellationToken).ConfigureAwait(false);
            var (version, isNew) = await registry.Registrar.RegisterAsync(
                store, new Registration
                {
                    Model = parsed.GetRequiredValue(name),
                    Checkpoint = root,
                    StepKey = KeyOf(root),
                    Origin = OriginOf(source),
                }, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(alias) is { } word)
                await registry.Models.MoveAliasAsync(
                    version.Model, word, version.Version, "command line", ReasonOf(source), cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(new { version.Model, version.Version, root.Root, root.SizeBytes, IsNew = isNew, Notes = notes });
            else
                terminal.Output.WriteLine(
                    $"{version.Model}@{version.Version}{(isNew ? "" : " (was registered before)")}  {root.Root.Short}  {root.SizeBytes:N0} bytes");
            return ExitCodes.Done;
        });
        return command;
    }

    private static string OriginOf(string source) => $"directory {FolderOf(source)}";

    private static string ReasonOf(string source) => $"import of {FolderOf(source)}";

    private static string FolderOf(string source) => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(source)));

    private static async Task<int> SendAsync(
        Terminal terminal, RegistryConnection registry, ArtifactStore store, ManifestRef root, string name, string? alias, string source,
        IReadOnlyList<string> notes, bool isJson, CancellationToken cancellationToken)
    {
        using var progress = new ByteProgress(terminal, "sending");
        var (version, sent) = await new ModelUpload(registry, store)
            .SendAsync(root.Root, name, OriginOf(source), progress, cancellationToken).ConfigureAwait(false);
        if (alias is not null)
            await AliasAsync(registry, version, alias, ReasonOf(source), cancellationToken).ConfigureAwait(false);
        if (isJson)
            terminal.WriteJson(new { version.Model, version.Version, version.Root, root.SizeBytes, SentBytes = sent, Notes = notes });
        else
            terminal.Output.WriteLine($"{version.Model}@{version.Version}  {version.Root.Short}  {sent:N0} of {root.SizeBytes:N0} bytes sent");
        return ExitCodes.Done;
    }

    private static async Task AliasAsync(
        RegistryConnection registry, VersionView version, string alias, string reason, CancellationToken cancellationToken)
    {
        try
        {
            await new ServerModels(registry).MoveAliasAsync(version, alias, reason, cancellationToken).ConfigureAwait(false);
        }
        catch (UserInputException e)
        {
            throw new UserInputException($"{version.Model}@{version.Version} is registered, but the alias '{alias}' did not move: {e.Message}", e);
        }
    }

    private static async Task<ManifestRef> ImportAsync(
        Terminal terminal, ArtifactStore store, string directory, List<string> notes, CancellationToken cancellationToken)
    {
        using var progress = new ByteProgress(terminal, "importing");
        return await HuggingFaceImporter.ImportAsync(
            store, directory, new ImportOptions { Progress = progress, Note = Note, Check = ModelCheck.Of(directory) },
            cancellationToken).ConfigureAwait(false);

        void Note(string note)
        {
            terminal.Say(note);
            notes.Add(note);
        }
    }

    /// <summary>The same weights give the same key, so that importing them twice does not register a second version.</summary>
    private static Digest KeyOf(ManifestRef root) =>
        new StageCode(Kind, "1", NumericsClasses.Any, new StageTraits())
            .KeyOf(JsonSerializer.SerializeToElement(new { }), [new StepInput("", OutputNames.Model, root)]).ToDigest();
}
