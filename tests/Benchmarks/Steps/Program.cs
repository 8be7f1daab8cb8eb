using Espalier.Benchmarks.Steps;

// Usage: Steps [overhead] [throughput] [scale] [--steps 10000] [--runs 1000]
//        Steps load [--ended 100000] [--open 1000] [--workers 100] [--seconds 120] [--sqlite] [--service services/Orchestrator]
// overhead    time of one step that does nothing, 40 in a row; from submission to the first start; a raw round trip beside it
// throughput  runs of one step per second
// load        a ledger of very many ended runs, many under way, workers and readers: times of claim, page and list; not among all
// scale       one run of many steps, many runs at once, and what the orchestrator's memory does meanwhile
var all = !args.Any(a => a is "overhead" or "throughput" or "scale" or "load");
await using var places = await Places.StartAsync();
if (all || args.Contains("overhead"))
    await Overhead.MeasureAsync(places);
if (all || args.Contains("throughput"))
    await Throughput.MeasureAsync(places);
if (all || args.Contains("scale"))
    await Scale.MeasureAsync(Number("--steps", 10_000), Number("--runs", 1_000));
if (args.Contains("load"))
{
    await Load.MeasureAsync(places, new LoadSize(
        Number("--ended", 100_000), Number("--open", 1_000), Number("--workers", 100), Number("--seconds", 120), args.Contains("--sqlite"),
        Text("--service", "services/Orchestrator")));
}

string Text(string name, string otherwise) => Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : otherwise;

int Number(string name, int otherwise) =>
    Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length
        ? int.Parse(args[at + 1], System.Globalization.CultureInfo.InvariantCulture) : otherwise;
