using Espalier.Benchmarks.Steps;

// Usage: Steps [overhead] [throughput] [scale] [--steps 10000] [--runs 1000]
// overhead    time of one step that does nothing, 40 in a row; from submission to the first start; a raw round trip beside it
// throughput  runs of one step per second
// scale       one run of many steps, many runs at once, and what the orchestrator's memory does meanwhile
var all = !args.Any(a => a is "overhead" or "throughput" or "scale");
await using var places = await Places.StartAsync();
if (all || args.Contains("overhead"))
    await Overhead.MeasureAsync(places);
if (all || args.Contains("throughput"))
    await Throughput.MeasureAsync(places);
if (all || args.Contains("scale"))
    await Scale.MeasureAsync(Number("--steps", 10_000), Number("--runs", 1_000));

int Number(string name, int otherwise) =>
    Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length
        ? int.Parse(args[at + 1], System.Globalization.CultureInfo.InvariantCulture) : otherwise;
