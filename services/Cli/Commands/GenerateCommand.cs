using System.CommandLine;
using System.Diagnostics;
using Espalier.Artifacts.Checkpoints;
using Espalier.Cli.Client;
using Espalier.Cli.Contexts;
using Espalier.Cli.Hosting;
using Espalier.Cli.Models;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.Runtime;
using Espalier.Surgery.Checkpoints;
using Espalier.Surgery.Generation;
using Espalier.Tokenizers;
using TorchSharp;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier generate MODEL --prompt TEXT</c>: a quick look at what a model says.</summary>
internal static class GenerateCommand
{
    private const double Share = 0.8; // of what is free: keys, values and activations want some of it

    public static Command Create(Terminal terminal)
    {
        var model = new Argument<string>("MODEL")
        {
            Description = "NAME@ALIAS, NAME@VERSION, NAME (newest), a manifest root of 64 hex digits, or a folder with a model, as ./DIR.",
        };
        var prompt = new Option<string[]>("--prompt", "-p")
        {
            Description = "Text to go on from; several are generated together, each as if alone.", Required = true, AllowMultipleArgumentsPerToken = true,
        };
        var tokens = new Option<int>("--max-tokens", "-n") { Description = "Most tokens to generate.", DefaultValueFactory = _ => 64 };
        var temperature = new Option<double>("--temperature", "-t")
        {
            Description = "0 takes the likeliest token every time; 1 draws by the model's probabilities.", DefaultValueFactory = _ => 0,
        };
        var topP = new Option<double>("--top-p")
        {
            Description = "Draw among the likeliest tokens that have this much probability together.", DefaultValueFactory = _ => 1,
        };
        var stop = new Option<string[]>("--stop") { Description = "Texts at which to end; they are left out." };
        var seed = new Option<long>("--seed") { Description = "Of random numbers; the same seed gives the same text.", DefaultValueFactory = _ => 0 };
        var bytes = new Option<bool>("--bytes") { Description = "Take UTF-8 bytes as tokens, for a model without a tokenizer." };
        var server = new Option<string?>("--server") { Description = "Address of a registry to fetch the model from, in place of a context." };
        var key = new Option<string?>("--key") { Description = "API key for --server; also ESPALIER_KEY." };
        var json = SharedOptions.Json();
        var command = new Command(
            "generate",
            "Generate text with a model: a quick look, also at packed ones.\n\n  espalier generate quickstart@candidate --prompt \"The gardener\"\n"
                + "  espalier generate ./my-model -p \"Once\" -p \"Twice\" --temperature 0.8 --top-p 0.95 --seed 3 --json")
        {
            model,
            prompt,
            tokens,
            temperature,
            topP,
            stop,
            seed,
            bytes,
            server,
            key,
            json,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var sampling = new Sampling
            {
                MaxTokens = parsed.GetValue(tokens),
                Temperature = parsed.GetValue(temperature),
                TopP = parsed.GetValue(topP),
                Stop = parsed.GetValue(stop) ?? [],
                Seed = parsed.GetValue(seed),
            };
            sampling.Validate();
            var (name, isJson) = (parsed.GetRequiredValue(model), parsed.GetValue(json));
            CommandContext Choose() => ContextChoice.Choose(parsed, terminal, orchestrator: null, parsed.GetValue(server), parsed.GetValue(key));
            await using var source = await OpenAsync(terminal, name, Choose, cancellationToken).ConfigureAwait(false);
            var reader = await CheckpointReader.OpenAsync(source.Store, source.Root, cancellationToken).ConfigureAwait(false);
            var config = DecoderFiles.ReadConfig(reader, name);
            var tokenizer = LoadTokenizer(reader, config, parsed.GetValue(bytes));
            using var decoder = DecoderFiles.LoadDecoder(reader, name, TypeFor(config));
            var (prompts, began, shown) = (parsed.GetRequiredValue(prompt), Stopwatch.GetTimestamp(), 0);
            var isShown = terminal.IsInteractive && !isJson && prompts.Length == 1;
            if (isShown)
                terminal.Output.Write(prompts[0]);
            var texts = new TextGenerator(decoder, tokenizer).Generate(prompts, sampling, !isShown ? null : text =>
            {
                terminal.Output.Write(text[shown..]);
                shown = text.Length;
            }, cancellationToken);
            var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
            var results = prompts.Zip(texts, (p, t) => new { Prompt = p, t.Text, t.Tokens, Finish = Terminal.Word(t.Finish) }).ToList();
            if (isJson)
            {
                terminal.WriteJson(new
                {
                    Model = name, source.Root, results[0].Text, results[0].Tokens, results[0].Finish, Results = results, Seconds = seconds,
                });
                return ExitCodes.Done;
            }
            if (isShown)
                terminal.Output.WriteLine(texts[0].Text[Math.Min(shown, texts[0].Text.Length)..]);
            foreach (var result in isShown ? [] : results)
                terminal.Output.WriteLine($"{result.Prompt}{result.Text}");
            terminal.Say(FormattableString.Invariant($"{texts.Sum(t => t.Tokens.Count)} tokens in {seconds:F1} s"));
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<ModelSource> OpenAsync(
        Terminal terminal, string name, Func<CommandContext> choose, CancellationToken cancellationToken)
    {
        if (ModelSource.IsFolder(name))
            return await ModelSource.OfFolderAsync(name, cancellationToken).ConfigureAwait(false);
        var context = choose();
        if (context.IsLocal)
            return await ModelSource.OfHomeAsync(EspalierHome.OfThisProcess(), name, signer: null, cancellationToken).ConfigureAwait(false);
        using var registry = new RegistryConnection(context);
        using var progress = new ByteProgress(terminal, "fetching");
        var temporary = Directory.CreateTempSubdirectory("espalier-generate-");
        try
        {
            return await ModelSource.OfFetchedAsync(
                temporary, folder => new ModelDownload(registry).FetchAsync(name, folder, null, progress, cancellationToken), cancellationToken)
                .ConfigureAwait(false);
        }
        catch when (Directory.Exists(temporary.FullName))
        {
            temporary.Delete(recursive: true); // part of a model is of no use here
            throw;
        }
    }

    private static ITokenizer LoadTokenizer(CheckpointReader reader, ModelConfig config, bool asBytes)
    {
        try
        {
            return StoredTokenizer.Load(reader, config, new TokenizerUse(BosUse.Tokenizer, asBytes ? TokenizerChoice.Bytes : TokenizerChoice.Model));
        }
        catch (InvalidTokenizerException e)
        {
            throw new UserInputException(e.Message.Replace("'tokenizer: bytes'", "--bytes", StringComparison.Ordinal), e);
        }
    }

    /// <summary>float32 where that fits, else bfloat16.</summary>
    /// <exception cref="UserInputException">Neither does.</exception>
    private static torch.ScalarType? TypeFor(ModelConfig config)
    {
        var (parameters, free) = (config.TotalParameters, HostMemory.FreeBytes());
        if (free == 0 || sizeof(float) * parameters <= Share * free)
            return null;
        return 2 * parameters <= Share * free ? torch.bfloat16 : throw new UserInputException(
            $"The model has {parameters:N0} parameters, which take {Amounts.Bytes(2 * parameters)} in bfloat16, and {Amounts.Bytes(free)} of memory are free. "
                + "Export it as GGUF with --type q4_k for llama.cpp, or use a larger machine.");
    }
}
