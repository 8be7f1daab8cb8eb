using System.CommandLine;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Cli.Contexts;
using Espalier.Cli.Hosting;
using Espalier.Cli.Client;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Registry.Signing;
using Espalier.Surgery.Checkpoints;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier export NAME@ALIAS DIR</c>: a model as a Hugging Face directory.</summary>
internal static class ExportCommand
{
    public static Command Create(Terminal terminal)
    {
        var model = new Argument<string>("MODEL") { Description = "NAME@ALIAS, NAME@VERSION, NAME (newest), or a manifest root of 64 hex digits." };
        var directory = new Argument<string>("DIR") { Description = "Folder to create; it must not exist." };
        var shardSize = new Option<string>("--shard-size") { Description = "Largest safetensors file, such as 5GB.", DefaultValueFactory = _ => "5GB" };
        var server = new Option<string?>("--server")
        {
            Description = "Address of a registry to fetch it from, in place of a context; resumes where it broke off.",
        };
        var signedBy = new Option<string?>("--signed-by") { Description = "Public key, PEM: only a version that this key signed is written." };
        var key = new Option<string?>("--key") { Description = "API key for --server; also ESPALIER_KEY." };
        var json = SharedOptions.Json();
        var command = new Command(
            "export",
            "Write a model as a Hugging Face directory, whole or not at all.\n\n  espalier export quickstart@candidate out/quickstart\n"
                + "  espalier export olmoe@3 out/olmoe --shard-size 2GB")
        {
            model,
            directory,
            shardSize,
            signedBy,
            server,
            key,
            json,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            if (Units.ReadSize(parsed.GetRequiredValue(shardSize), out var limit) is { } reason || limit < 1)
                throw new UserInputException($"--shard-size must be {Units.ReadSize(parsed.GetRequiredValue(shardSize), out _) ?? "at least one byte"}.");
            using var signer = parsed.GetValue(signedBy) is { } file ? SigningKeyCommand.Read(file) : null;
            var home = EspalierHome.OfThisProcess();
            var output = parsed.GetRequiredValue(directory);
            var context = ContextChoice.Choose(parsed, terminal, orchestrator: null, parsed.GetValue(server), parsed.GetValue(key));
            var root = !context.IsLocal
                ? await FetchAsync(terminal, context, parsed.GetRequiredValue(model), output, signer, cancellationToken).ConfigureAwait(false)
                : await WriteAsync(terminal, home, parsed.GetRequiredValue(model), output, limit, signer, cancellationToken).ConfigureAwait(false);
            var notes = ModelNotes.OfDirectory(output);
            if (parsed.GetValue(json))
                terminal.WriteJson(new { Output = Path.GetFullPath(output), Root = root, Notes = notes });
            else
                terminal.Output.WriteLine($"{output}  {root.Short}");
            foreach (var note in notes)
                terminal.Say($"Note: {note}");
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<Digest> FetchAsync(
        Terminal terminal, CommandContext context, string model, string output, SigningKey? signer, CancellationToken cancellationToken)
    {
        using var registry = new RegistryConnection(context);
        using var progress = new ByteProgress(terminal, "fetching");
        return await new ModelDownload(registry).FetchAsync(model, output, signer, progress, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<Digest> WriteAsync(
        Terminal terminal, EspalierHome home, string model, string output, long shardSize, SigningKey? signer, CancellationToken cancellationToken)
    {
        var root = await ResolveAsync(home, model, signer, cancellationToken).ConfigureAwait(false);
        var store = home.OpenStore();
        if (!await store.Blobs.ExistsAsync(root, cancellationToken).ConfigureAwait(false) && Digest.TryParse(model, out _))
            throw new UserInputException($"There is no artifact {model} in {home.StoreFolder}; espalier models --json lists roots.");
        using var progress = new ByteProgress(terminal, "exporting");
        await HuggingFaceExporter.ExportAsync(
            store, root, output, new ExportOptions { ShardSizeBytes = shardSize, Progress = progress }, cancellationToken).ConfigureAwait(false);
        return root;
    }

    private static async Task<Digest> ResolveAsync(EspalierHome home, string model, SigningKey? signer, CancellationToken cancellationToken)
    {
        var isRoot = Digest.TryParse(model, out var root);
        if (isRoot && signer is null && Directory.Exists(home.StoreFolder))
            return root;
        if (!home.Exists)
            throw new UserInputException($"There is no model '{model}': {home.Path} holds none yet.");
        await using var registry = await OpenRegistry.OpenAsync(home, cancellationToken).ConfigureAwait(false);
        if (!isRoot)
            root = (await registry.Models.ResolveAsync(model, cancellationToken).ConfigureAwait(false)).Root;
        Signatures.Require(model, root, await registry.Signatures.ListAsync(root, cancellationToken).ConfigureAwait(false), signer);
        return root;
    }
}
