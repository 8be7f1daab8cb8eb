using System.CommandLine;
using Espalier.Cli.Commands;
using Espalier.Cli.Contexts;
using Espalier.Cli.Terminals;
using Espalier.Contracts;

namespace Espalier.Cli;

/// <summary>The <c>espalier</c> command: parses, runs, and turns every outcome into an exit code.</summary>
internal static class CommandLine
{
    private const string About = """
        Espalier grows and prunes mixture-of-experts language models.

          espalier run pipelines/quickstart.yaml        the main job, on this machine
          espalier run pipelines/tiny.yaml --param seed=3
          espalier plan pipelines/quickstart.yaml       what would happen; runs nothing
          espalier stage upcycle --input IN --output OUT --with '{"method":"copy","multiplier":2}'
          espalier import DIR --name base  ·  espalier export base@candidate DIR
          espalier generate base@candidate --prompt "Once upon a time"
          espalier up  ·  submit FILE  ·  watch RUN  ·  status  ·  down      the platform on servers
          espalier pipelines add FILE  ·  trigger list  ·  submit NAME       pipelines that events and schedules start
          espalier doctor                               what this machine has and lacks
          espalier bench train --shape tiny             speed, beside plain PyTorch

          espalier context list                         where commands work: this home, or a platform

        State is kept in $ESPALIER_HOME, else in .espalier of the current folder.
        Exit codes: 0 done, 1 failed, 2 bad input, 130 interrupted. With --json, one object on standard output.
        """;

    /// <summary>Runs one command.</summary>
    public static Task<int> RunAsync(string[] args, Terminal terminal, CancellationToken cancellationToken) =>
        RunAsync(Create(terminal), args, terminal, cancellationToken);

    /// <summary>Runs one command of <paramref name="root"/>.</summary>
    public static async Task<int> RunAsync(RootCommand root, string[] args, Terminal terminal, CancellationToken cancellationToken)
    {
        ProgramName.UseIn(root);
        var parsed = root.Parse(args.Length == 0 ? ["--help"] : args);
        var isJson = args.Contains(SharedOptions.JsonName);
        if (parsed.Errors.Count > 0)
            return Refuse(terminal, isJson, MissingCommand.Find(parsed) ?? [.. parsed.Errors.Select(e => new Problem("command line", 0, 0, e.Message))]);
        if (Refusals.Empty(parsed) is [_, ..] empty)
            return Refuse(terminal, isJson, empty);
        try
        {
            return await parsed.InvokeAsync(
                new InvocationConfiguration
                {
                    Output = terminal.Output,
                    Error = terminal.Error,
                    EnableDefaultExceptionHandler = false,
                    ProcessTerminationTimeout = null,
                },
                cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (Refusals.Find(exception) is { } problems)
        {
            return Refuse(terminal, isJson, problems, exception);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            terminal.Say("Interrupted.");
            return ExitCodes.Interrupted;
        }
        catch (Exception exception)
        {
            return Fail(terminal, isJson, exception);
        }
    }

    private static bool IsTraced => Environment.GetEnvironmentVariable("ESPALIER_TRACE") is "1";

    private static RootCommand Create(Terminal terminal) => new(About)
    {
        ContextChoice.Option(),
        ContextCommand.Create(terminal),
        RunCommand.Create(terminal),
        ResumeCommand.Create(terminal),
        RunsCommand.Create(terminal),
        UpCommand.Create(terminal),
        DownCommand.Create(terminal),
        StatusCommand.Create(terminal),
        LogsCommand.Create(terminal),
        SubmitCommand.Create(terminal),
        PipelinesCommand.Create(terminal),
        TriggerCommand.Create(terminal),
        WatchCommand.Create(terminal),
        CancelCommand.Create(terminal),
        QueuesCommand.Create(terminal),
        KeysCommand.Create(terminal),
        SuperviseCommand.Create(terminal),
        PlanCommand.Create(terminal),
        SchemaCommand.Create(terminal),
        StageCommand.Create(terminal),
        ImportCommand.Create(terminal),
        ExportCommand.Create(terminal),
        GenerateCommand.Create(terminal),
        ModelsCommand.Create(terminal),
        DatasetsCommand.Create(terminal),
        DiffCommand.Create(terminal),
        AliasesCommand.Create(terminal),
        TagsCommand.Create(terminal),
        VerifyCommand.Create(terminal),
        SignCommand.Create(terminal),
        SigningKeyCommand.Create(terminal),
        PromoteCommand.Create(terminal),
        GcCommand.Create(terminal),
        FsckCommand.Create(terminal),
        RepairCommand.Create(terminal),
        DoctorCommand.Create(terminal),
        CompletionCommand.Create(terminal),
        HelpCommand.Create(terminal),
    };

    private static int Refuse(Terminal terminal, bool isJson, IReadOnlyList<Problem> problems, Exception? exception = null)
    {
        if (exception is not null && IsTraced)
            terminal.Say(exception.ToString());
        foreach (var problem in problems)
            terminal.Say(problem is { Line: 0, Place: "input" } ? problem.Message : problem.ToString());
        if (isJson)
            terminal.WriteJson(new { Error = "bad-input", Problems = problems });
        return ExitCodes.BadInput;
    }

    private static int Fail(Terminal terminal, bool isJson, Exception exception)
    {
        terminal.Say($"Failed: {Refusals.Explain(exception)}");
        if (IsTraced)
            terminal.Say(exception.ToString());
        else
            terminal.Say("ESPALIER_TRACE=1 shows where.");
        if (isJson)
            terminal.WriteJson(new { Error = "failed", Message = Refusals.Explain(exception) });
        return ExitCodes.Failed;
    }
}
