using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Pipelines.Resolution;
using Spectre.Console;

namespace Espalier.Cli.Planning;

/// <summary>Draws a plan.</summary>
internal static class PlanTable
{
    public static void Write(Terminal terminal, ResolvedPlan plan)
    {
        var table = new Table().RoundedBorder()
            .AddColumn("step").AddColumn("outlook").AddColumn("model");
        foreach (var heading in new[] { "parameters", "active", "new", "shared", "memory", "time" })
            table.AddColumn(new TableColumn(heading).RightAligned());
        foreach (var step in plan.Steps)
        {
            table.AddRow(
                $"{step.Name}\n[grey]{step.Kind}[/]", Decision(step),
                Markup.Escape(Change(step, s => $"{s.Experts} x {s.ExpertSize}, top {s.ExpertsPerToken}")),
                Change(step, s => Amounts.Count(s.TotalParameters)), Change(step, s => Amounts.Count(s.ActiveParameters)),
                Bytes(step.NewBytes), Bytes(step.SharedBytes), Bytes(step.MemoryBytes),
                step.Seconds is { } seconds ? Amounts.Time(TimeSpan.FromSeconds(seconds)) : "");
        }
        terminal.Output.WriteLine($"{plan.Name}: {Amounts.Of(plan.Steps.Count, "step")}, {plan.Steps.Count(s => s.Decision == StepDecision.Cached)} cached");
        terminal.Write(table);
        foreach (var step in plan.Steps.Where(s => s.Decision != StepDecision.Cached))
        {
            var condition = step.When is { } when && step.Decision == StepDecision.Conditional ? $"; only when {when}" : "";
            terminal.Output.WriteLine($"  {step.Name} {Verb(step.Decision)}: {step.Reason}{condition}");
        }
        foreach (var step in plan.Steps.Where(s => s.After?.BeyondPlain.Count > 0 && s.Before?.BeyondPlain.SequenceEqual(s.After.BeyondPlain) != true))
            terminal.Output.WriteLine(
                $"  {step.Name} makes a model with {string.Join(" and ", step.After!.BeyondPlain)}: other loaders of its family would run it without.");
        foreach (var step in plan.Steps)
            foreach (var choice in step.Choices)
                terminal.Output.WriteLine($"  {step.Name}: {choice}");
        var timed = plan.Steps.Count(s => s.Decision is StepDecision.Runs or StepDecision.Conditional && s.Seconds is not null);
        var running = plan.Steps.Count(s => s.Decision is StepDecision.Runs or StepDecision.Conditional);
        var duration = timed == 0 ? ""
            : $", about {Amounts.Time(TimeSpan.FromSeconds(plan.Seconds))} for the {Amounts.Of(timed, "step")} that can be timed by earlier runs";
        var (bytes, memory) = (Amounts.Bytes(plan.NewBytes), Amounts.Bytes(plan.MemoryBytes));
        terminal.Output.WriteLine($"To run: {Amounts.Of(running, "step")}, {bytes} new in the store, memory up to {memory}{duration}.");
    }

    private static string Decision(ResolvedStep step) => step.Decision switch
    {
        StepDecision.Cached => "[blue]cached[/]",
        StepDecision.Runs => "runs",
        StepDecision.Conditional => "runs if",
        StepDecision.Skipped => "[grey]skipped[/]",
        _ => "[red]refused[/]",
    };

    private static string Verb(StepDecision decision) => decision switch
    {
        StepDecision.Refused => "is refused",
        StepDecision.Skipped => "is skipped",
        _ => "runs",
    };

    private static string Change(ResolvedStep step, Func<ModelShape, string> text) => (step.Before, step.After) switch
    {
        (null, null) => "",
        ({ } before, null) => text(before),
        (null, { } after) => text(after),
        ({ } before, { } after) => text(before) == text(after) ? text(after) : $"{text(before)} -> {text(after)}",
    };

    private static string Bytes(long? bytes) => bytes is > 0 and { } some ? Amounts.Bytes(some) : "";
}
