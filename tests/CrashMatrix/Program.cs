using System.Globalization;
using Espalier.CrashMatrix;

// Usage: CrashMatrix [--points 200] [--seed 1] [--html crash-matrix.html] [--json crash-matrix.json] [--only TEXT]
var points = int.Parse(Option("--points") ?? "200", CultureInfo.InvariantCulture);
var seed = int.Parse(Option("--seed") ?? "1", CultureInfo.InvariantCulture);
var html = Option("--html") ?? "crash-matrix.html";
var chosen = PointGenerator.Generate(points, seed)
    .Where(p => Option("--only") is not { } text || p.What.Contains(text, StringComparison.OrdinalIgnoreCase))
    .ToList();

var outcomes = await new Matrix(Console.WriteLine).RunAsync(chosen);
foreach (var line in MatrixReport.Summary(outcomes))
    Console.WriteLine(line);
await File.WriteAllTextAsync(html, MatrixReport.Html(outcomes, seed));
if (Option("--json") is { } json)
    await File.WriteAllTextAsync(json, MatrixReport.Json(outcomes, seed));
Console.WriteLine($"The matrix is in {Path.GetFullPath(html)}");
return outcomes.All(o => o.IsGood) ? 0 : 1;

string? Option(string name) => Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;
