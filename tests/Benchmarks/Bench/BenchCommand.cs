using System.CommandLine;
using Espalier.Cli;
using Espalier.Cli.Commands;
using Espalier.Platform;
using Espalier.Cli.Terminals;
using Espalier.Contracts;

namespace Espalier.Bench;

/// <summary><c>espalier bench</c>: speed of this machine, ours beside peers.</summary>
internal static class BenchCommand
{
    private const string About = """
        Measure speed on this machine, ours beside the same model in eager LibTorch and, where python3-torch is installed,
        in Debian's PyTorch; the faster counts.

          espalier bench train --shape tiny
          espalier bench all --json
          espalier bench real-size                      6.9 billion weights through every stage: time and memory
          espalier bench text --size 500MB              made text through the dataset stage: MB/s and memory
        """;

    public static Command Create(Terminal terminal) => new("bench", About)
    {
        Speed(terminal, "train", "A training step: forward, backward, clipping, AdamW.", BenchWorkKind.Train),
        Speed(terminal, "calibrate", "A forward pass down to each token's loss, as evaluation and calibration run it.", BenchWorkKind.Calibrate),
        Load(terminal),
        Curves(terminal),
        RealSizeCommand.Create(terminal),
        TextStreamCommand.Create(terminal),
        Everything(terminal),
        Worker(),
        RealSizeCommand.CreateChild(terminal),
    };

    private static Command Speed(Terminal terminal, string name, string description, BenchWorkKind kind)
    {
        var (shape, pairs, alone, json) = (Shape(), Pairs(), Alone(), SharedOptions.Json());
        var profile = new Option<bool>("--profile") { Description = "Show where our training step's time goes, instead of comparing." };
        var command = new Command(name, description) { shape, pairs, alone, json };
        if (kind == BenchWorkKind.Train)
            command.Add(profile);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var shapes = Shapes(parsed.GetValue(shape));
            if (kind == BenchWorkKind.Train && parsed.GetValue(profile))
                return Profile(terminal, shapes, parsed.GetValue(json));
            var peaks = MachinePeaks.Measure();
            var (count, isAlone) = (parsed.GetValue(pairs), parsed.GetValue(alone));
            var results = await CompareAsync(terminal, peaks, shapes, [kind], count, isAlone, cancellationToken).ConfigureAwait(false);
            Report(terminal, parsed.GetValue(json), new BenchReport(peaks, results, results is [{ Ratio: var only }] ? only : null));
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Load(Terminal terminal)
    {
        var json = SharedOptions.Json();
        var command = new Command("load", "Open a checkpoint of 2 GB and read one layer of it.") { json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var load = await LoadMeasurement.RunAsync(EspalierHome.OfThisProcess().Create().Path, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(load);
            else
                BenchTables.Write(terminal, load);
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Curves(Terminal terminal)
    {
        var (json, steps) = (SharedOptions.Json(), new Option<int>("--steps") { Description = "Optimizer steps.", DefaultValueFactory = _ => 200 });
        var output = new Option<string>("--output") { Description = "Picture to write (SVG).", DefaultValueFactory = _ => "loss-curves.svg" };
        var command = new Command("curves", "Train tiny with fused kernels and with plain operations, and draw both losses.") { steps, output, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (shape, path) = (BenchShape.All[0], parsed.GetRequiredValue(output));
            var curves = LossCurves.Train(shape, parsed.GetValue(steps));
            await File.WriteAllTextAsync(path, curves.Draw(), cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(curves);
            else
                BenchTables.Write(terminal, curves, path);
            return curves.Agree ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }

    private static Command Everything(Terminal terminal)
    {
        var (pairs, alone, json) = (Pairs(), Alone(), SharedOptions.Json());
        var markdown = new Option<string?>("--markdown") { Description = "Page of Markdown to write the tables to as well." };
        var command = new Command("all", "Every shape, training and forward, growth, and loading: about fifteen minutes on two cores.")
        {
            pairs, alone, markdown, json,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var peaks = MachinePeaks.Measure();
            var (count, isAlone) = (parsed.GetValue(pairs), parsed.GetValue(alone));
            IReadOnlyList<BenchWorkKind> kinds = [BenchWorkKind.Train, BenchWorkKind.Calibrate];
            var results = await CompareAsync(terminal, peaks, Shapes(null), kinds, count, isAlone, cancellationToken).ConfigureAwait(false);
            var grown = await CompareAsync(terminal, peaks, Shapes("small-64"), [BenchWorkKind.Train], count, isAlone, cancellationToken).ConfigureAwait(false);
            var load = await LoadMeasurement.RunAsync(EspalierHome.OfThisProcess().Create().Path, cancellationToken).ConfigureAwait(false);
            var growth = GrowthCost.Of(results.First(r => r is { Shape: "small", Work: BenchWorkKind.Train }), grown[0], peaks);
            var report = new BenchReport(peaks, [.. results, .. grown]) { Growth = growth, Load = load };
            if (parsed.GetValue(markdown) is { } path)
                await File.WriteAllTextAsync(path, BenchMarkdown.Of(peaks, report.Results, growth, load), cancellationToken).ConfigureAwait(false);
            Report(terminal, parsed.GetValue(json), report);
            return ExitCodes.Done;
        });
        return command;
    }

    // Started by SpeedComparison.
    private static Command Worker()
    {
        var (shape, side, work, precision) = (Shape(), Text("--side", BenchWorker.OwnSide), Text("--work", "train"), Text("--precision", "fp32"));
        var command = new Command("worker", "Measured process of the other commands.") { shape, side, work, precision };
        command.Hidden = true;
        command.SetAction(parsed =>
        {
            var (model, isBf16) = (Shapes(parsed.GetValue(shape))[0], parsed.GetValue(precision) == "bf16");
            var kind = parsed.GetValue(work) == "train" ? BenchWorkKind.Train : BenchWorkKind.Calibrate;
            var isEager = parsed.GetValue(side) == BenchWorker.EagerSide;
            BenchWorker.Run(() => isEager ? new EagerWork(model, kind, isBf16) : new BenchWork(model, kind, isBf16), Console.In, Console.Out);
            return ExitCodes.Done;
        });
        return command;

        static Option<string> Text(string name, string value) => new(name) { DefaultValueFactory = _ => value };
    }

    private static async Task<IReadOnlyList<SpeedResult>> CompareAsync(
        Terminal terminal, MachinePeaks peaks, IReadOnlyList<BenchShape> shapes, IReadOnlyList<BenchWorkKind> kinds, int pairs, bool isAlone,
        CancellationToken cancellationToken)
    {
        var peers = isAlone ? [] : await Peer.FindAsync(cancellationToken).ConfigureAwait(false);
        var comparison = new SpeedComparison(peaks, pairs, peers, terminal.Say);
        var results = new List<SpeedResult>();
        foreach (var kind in kinds)
        {
            foreach (var shape in shapes)
                results.Add(await comparison.RunAsync(shape, kind, cancellationToken).ConfigureAwait(false));
        }
        return results;
    }

    private static int Profile(Terminal terminal, IReadOnlyList<BenchShape> shapes, bool isJson)
    {
        var profiles = shapes.Select(shape => (Shape: shape, Profile: StepProfile.Of(shape))).ToList();
        if (isJson)
            terminal.WriteJson(new { Profiles = profiles.ToDictionary(p => p.Shape.Name, p => p.Profile) });
        else
            profiles.ForEach(p => BenchTables.WriteProfile(terminal, p.Shape, p.Profile));
        return ExitCodes.Done;
    }

    private static void Report(Terminal terminal, bool isJson, BenchReport report)
    {
        if (isJson)
        {
            terminal.WriteJson(report);
            return;
        }
        BenchTables.Write(terminal, report.Machine);
        BenchTables.Write(terminal, report.Results);
        if (report.Growth is { } growth)
            BenchTables.Write(terminal, growth);
        if (report.Load is { } load)
            BenchTables.Write(terminal, load);
    }

    private static IReadOnlyList<BenchShape> Shapes(string? name) =>
        name is null
            ? [.. BenchShape.All.Where(s => BenchShape.Table.Contains(s.Name))]
            : [BenchShape.All.FirstOrDefault(s => s.Name == name) ?? throw new UserInputException(
                $"--shape {name}: expected one of {string.Join(", ", BenchShape.All.Select(s => s.Name))}.")];

    private static Option<string?> Shape() => new("--shape") { Description = "tiny, small, base, fine-grained or small-64; all of the table when left out." };

    private static Option<int> Pairs()
    {
        var pairs = new Option<int>("--pairs") { Description = "Turns of each side.", DefaultValueFactory = _ => 5 };
        pairs.Validators.Add(found =>
        {
            if (found.Tokens.Count > 0 && found.GetValueOrDefault<int>() < 1)
                found.AddError("--pairs must be at least 1.");
        });
        return pairs;
    }

    private static Option<bool> Alone() => new("--alone") { Description = "Measure ours only, without a peer." };

    /// <summary>The JSON of a comparison.</summary>
    /// <param name="Machine">Peaks of the machine.</param>
    /// <param name="Results">One for each work and shape.</param>
    /// <param name="Ratio">The ratio, when one shape was measured.</param>
    private sealed record BenchReport(MachinePeaks Machine, IReadOnlyList<SpeedResult> Results, double? Ratio = null)
    {
        public GrowthCost? Growth { get; init; }

        public LoadMeasurement? Load { get; init; }
    }
}
