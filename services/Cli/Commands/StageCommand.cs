using System.CommandLine;
using Espalier.Cli.Hosting;
using Espalier.Cli.Progress;
using Espalier.Cli.SingleStage;
using Espalier.Cli.Terminals;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier stage KIND</c>: one stage on a Hugging Face directory, without services.</summary>
internal static class StageCommand
{
    public static Command Create(Terminal terminal)
    {
        var kind = new Argument<string>("KIND") { Description = "train, upcycle, merge, prune, quantize, evaluate or command." };
        var input = new Option<string[]>("--input", "-i")
        {
            Description = "Model folder. evaluate and merge take several; train without one starts from scratch.",
            AllowMultipleArgumentsPerToken = true,
        };
        var output = new Option<string>("--output", "-o") { Description = "Folder to create; it must not exist.", Required = true };
        var with = new Option<string>("--with", "-w") { Description = "Options: JSON, or a JSON or YAML file.", DefaultValueFactory = _ => "{}" };
        var commands = CommandConsent.Create();
        var json = SharedOptions.Json();
        var command = new Command(
            "stage",
            """
            Run one stage on a Hugging Face directory: no pipeline, no services. The output appears whole or not at all.
            Options are those of the pipeline file; espalier schema KIND lists them.

              espalier stage upcycle  --input IN --output OUT --with '{"method":"copy","multiplier":2,"router":{"method":"copy-noise"},"seed":1}'
              espalier stage prune    --input IN --output OUT --with '{"method":"heapr","ratio":0.25,"calibration":{"data":"file:text.txt"}}'
              espalier stage quantize --input IN --output OUT --with quantize.yaml
              espalier stage evaluate --input A B --output REPORT --with '{"tasks":["validation-loss"],"data":"file:text.txt","length":128}' --json
            """) { kind, input, output, with, commands, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var home = EspalierHome.OfThisProcess();
            var request = StageRequest.Read(
                home, parsed.GetRequiredValue(kind), parsed.GetValue(input) ?? [], parsed.GetRequiredValue(output), parsed.GetRequiredValue(with));
            CommandConsent.Require(parsed.GetValue(commands), home, [(request.Stage.Kind, request.Stage.Kind)]);
            var runner = new StageRunner(home, request);
            var outcome = terminal.IsInteractive
                ? await LiveBoard.DrawAsync(terminal.Progress(), TimeProvider.System, board => runner.RunAsync(board, cancellationToken)).ConfigureAwait(false)
                : await runner.RunAsync(new PlainBoard(terminal, TimeProvider.System), cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(outcome);
            else
                Print(terminal, outcome);
            return ExitCodes.Done;
        });
        return command;
    }

    private static void Print(Terminal terminal, StageOutcome outcome)
    {
        terminal.Output.WriteLine($"{outcome.Kind}: {outcome.Output} in {Amounts.Time(TimeSpan.FromSeconds(outcome.Seconds))}");
        if (outcome.Changes is { } changes)
        {
            terminal.Output.WriteLine(
                $"  {changes.Tensors} tensors, {Amounts.Bytes(changes.Bytes)} (before: {changes.TensorsBefore}, "
                    + $"{Amounts.Bytes(changes.BytesBefore)}); {changes.Same} unchanged, {changes.Changed} changed, {changes.Added} new, "
                        + $"{changes.Removed} gone");
            foreach (var (key, change) in changes.Config)
                terminal.Output.WriteLine($"  config.json {key}: {change}");
        }
        foreach (var (name, value) in outcome.Metrics.OrderBy(m => m.Key, StringComparer.Ordinal))
            terminal.Output.WriteLine(FormattableString.Invariant($"  {name} = {value:G6}"));
    }
}
