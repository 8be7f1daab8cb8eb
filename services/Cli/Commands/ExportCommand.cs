using System.CommandLine;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Cli.Contexts;
using Espalier.Cli.Hosting;
using Espalier.Cli.Client;
using Espalier.Cli.Models;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Gguf;
using Espalier.Gguf.Blocks;
using Espalier.Pipelines.Options;
using Espalier.Registry.Signing;
using Espalier.Surgery.Checkpoints;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier export MODEL OUT</c>: a model as a Hugging Face directory, or as a GGUF file.</summary>
internal static class ExportCommand
{
    private const string HuggingFace = "hf", Gguf = "gguf";

    public static Command Create(Terminal terminal)
    {
        var model = new Argument<string>("MODEL")
        {
            Description = "NAME@ALIAS, NAME@VERSION, NAME (newest), a manifest root of 64 hex digits, or a folder with a model, as ./DIR.",
        };
        var directory = new Argument<string>("OUT") { Description = "Folder to create; it must not exist." };
        var format = new Option<string>("--format")
        {
            Description = "hf: a Hugging Face directory. gguf: the file OUT/model.gguf, which llama.cpp and what is built on it run.",
            DefaultValueFactory = _ => HuggingFace,
        };
        format.AcceptOnlyFromAmong(HuggingFace, Gguf);
        var type = new Option<string?>("--type")
        {
            Description = "Of gguf: how matrices are stored. " + string.Join(" ", BlockType.All.Select(t => $"{t.Name}: {t.Summary}")),
        };
        var tokenizer = new Option<string>("--tokenizer")
        {
            Description = "Of gguf: model puts the model's tokenizer into the file; none leaves it out, and programs give ids.",
            DefaultValueFactory = _ => "model",
        };
        tokenizer.AcceptOnlyFromAmong("model", "none");
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
            "Write a model as a Hugging Face directory or as a GGUF file, whole or not at all.\n\n  espalier export quickstart@candidate out/quickstart\n"
                + "  espalier export olmoe@3 out/olmoe --shard-size 2GB\n  espalier export olmoe@3 out/gguf --format gguf --type q4_k\n"
                + "  espalier export ./my-model out/gguf --format gguf --type f16")
        {
            model,
            directory,
            format,
            type,
            tokenizer,
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
            var isGguf = parsed.GetRequiredValue(format) == Gguf;
            if (!isGguf && parsed.GetValue(type) is not null)
                throw new UserInputException("--type is for --format gguf: add that, or leave it out.");
            var blocks = BlockType.Of(parsed.GetValue(type) ?? "f16");
            using var signer = parsed.GetValue(signedBy) is { } file ? SigningKeyCommand.Read(file) : null;
            var home = EspalierHome.OfThisProcess();
            var (name, output) = (parsed.GetRequiredValue(model), parsed.GetRequiredValue(directory));
            var isFolder = ModelSource.IsFolder(name);
            if (isFolder && signer is not null)
                throw new UserInputException("--signed-by is for registered models: a folder carries no signature.");
            var context = isFolder ? null : ContextChoice.Choose(parsed, terminal, orchestrator: null, parsed.GetValue(server), parsed.GetValue(key));
            if (context is { IsLocal: false } && !isGguf)
                {
                var fetched = await FetchAsync(terminal, context, name, output, signer, cancellationToken).ConfigureAwait(false);
                return Report(fetched, ModelNotes.OfDirectory(output));
            }


            await using var source = context is null ? await ModelSource.OfFolderAsync(name, cancellationToken).ConfigureAwait(false)
                : context.IsLocal ? await ModelSource.OfHomeAsync(home, name, signer, cancellationToken).ConfigureAwait(false)
                : await ModelSource.OfFetchedAsync(
                    output, folder => FetchAsync(terminal, context, name, folder, signer, cancellationToken), cancellationToken).ConfigureAwait(false);
            using var progress = new ByteProgress(terminal, "exporting");
            if (!isGguf)
            {
                await HuggingFaceExporter.ExportAsync(
                    source.Store, source.Root, output, new ExportOptions { ShardSizeBytes = limit, Progress = progress }, cancellationToken)
                    .ConfigureAwait(false);
                return Report(source.Root, ModelNotes.OfDirectory(output));
            }
            var notes = new List<string>();
            await GgufExporter.ExportAsync(source.Store, source.Root, output, new GgufOptions
            {
                Type = blocks,
                Name = Path.GetFileName(Path.TrimEndingDirectorySeparator(name)),
                HasTokenizer = parsed.GetRequiredValue(tokenizer) == "model",
                Note = notes.Add,
                Progress = progress,
            }, cancellationToken).ConfigureAwait(false);
            return Report(source.Root, notes);

            int Report(Digest root, IReadOnlyList<string> notes)
            {
                if (parsed.GetValue(json))
                    terminal.WriteJson(new { Output = Path.GetFullPath(output), Root = root, Notes = notes });
                else
                    terminal.Output.WriteLine($"{output}  {root.Short}");
                foreach (var note in notes)
                    terminal.Say($"Note: {note}");
                return ExitCodes.Done;
            }
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
}
