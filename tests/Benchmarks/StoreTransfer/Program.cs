// Moves a checkpoint to a blob store and back and prints rates beside those of a plain file copy.
//   dotnet run -c Release --project tests/Benchmarks/StoreTransfer [MEGABYTES] [CONNECTION]
// Without a connection string an Azurite is started on loopback, with its data in the temporary folder.
//   dotnet run -c Release --project tests/Benchmarks/StoreTransfer first-read [MEGABYTES]
// measures the digest check of a blob's first read in a file store instead.
using System.Diagnostics;
using System.Globalization;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Benchmarks.StoreTransfer;
using Espalier.Contracts;

if (args is ["first-read", ..])
{
    var place = Directory.CreateTempSubdirectory("first-read-");
    try
    {
        return await FirstRead.RunAsync(place.FullName, args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 512).ConfigureAwait(false);
    }
    finally
    {
        place.Delete(recursive: true);
    }
}
var megabytes = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 2048;
var folder = Directory.CreateTempSubdirectory("store-transfer-");
await using var server = args.Length > 1 ? null : await Azurite.StartAsync(Path.Combine(folder.FullName, "azurite"));
var connection = args.Length > 1 ? args[1] : server!.ConnectionString;
try
{
    var source = Path.Combine(folder.FullName, "model");
    RandomCheckpoint.Write(source, megabytes);
    var bytes = new FileInfo(Path.Combine(source, RandomCheckpoint.File)).Length;
    var store = new ArtifactStore(AzureBlobStore.Open(connection, "store-transfer"));
    ManifestRef? root = null;

    Report("plain file copy, with fsync", bytes,
        Measure(() => FileCopy.Run(Path.Combine(source, RandomCheckpoint.File), Path.Combine(folder.FullName, "copy"))));
    Report("upload", bytes, await MeasureAsync(
        async () => root = await HuggingFaceImporter.ImportAsync(store, source, default).ConfigureAwait(false)).ConfigureAwait(false));
    ManifestRef? second = null;
    Report("second upload, unchanged", bytes, await MeasureAsync(
        async () => second = await HuggingFaceImporter.ImportAsync(store, source, default).ConfigureAwait(false)).ConfigureAwait(false));
    Report("download", bytes, await MeasureAsync(
        () => HuggingFaceExporter.ExportAsync(store, root!.Root, Path.Combine(folder.FullName, "back"), null, default)).ConfigureAwait(false));

    var areEqual = FileCopy.AreEqual(source, Path.Combine(folder.FullName, "back"));
    Console.WriteLine($"same root both times: {(second == root ? "yes" : "NO")}; bytes come back as they went: {(areEqual ? "yes" : "NO")}");
    return second == root ? 0 : 1;
}
finally
{
    folder.Delete(recursive: true);
}

static (TimeSpan Time, long Network) Measure(Action work) => MeasureAsync(() =>
{
    work();
    return Task.CompletedTask;
}).GetAwaiter().GetResult();

static async Task<(TimeSpan Time, long Network)> MeasureAsync(Func<Task> work)
{
    var (before, clock) = (Loopback.Bytes(), Stopwatch.StartNew());
    await work().ConfigureAwait(false);
    return (clock.Elapsed, Loopback.Bytes() - before);
}

static void Report(string name, long bytes, (TimeSpan Time, long Network) measured) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
    $"{name,-30} {measured.Time.TotalSeconds,7:0.0} s {bytes / 1e6 / measured.Time.TotalSeconds,8:0} MB/s {measured.Network / 1e6,9:0.0} MB over loopback"));
