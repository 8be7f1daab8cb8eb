using System.Text.Json;
using Espalier.TestKit.Servers;

namespace Espalier.Integration.Tests.Platform;

/// <summary>
/// Real file systems that are full or read-only: a namespace of its own in which the home, or its store, is mounted so. The
/// run says what is wrong, and goes on where it stopped when the disk works again, to the same bytes.
/// </summary>
public sealed class SickDiskTests : IDisposable
{
    private const string Pipeline = """
        name: small
        stages:
          base:
            uses: train
            with: { model: { family: olmoe, layers: 2, hidden: 64, heads: 2, experts: 8, top-k: 2, expert-size: 128, vocabulary: bytes },
                    data: "file:text.txt", tokens: 4k, length: 32, batch: 4, seed: 3 }
          grown: { uses: upcycle, needs: base, with: { method: copy, multiplier: 2, seed: 3 } }
          release: { uses: register, needs: grown, with: { name: small } }
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("disk-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    // The checkpoint with its optimizer state needs more than 3 MB; later there is room.
    [InlineData("mount -t tmpfs -o size=3m tmpfs \"$ESPALIER_HOME\"", "mount -o remount,size=200m \"$ESPALIER_HOME\"", "space", 1)]
    [InlineData(
        "mkdir -p \"$ESPALIER_HOME/store\" && mount --bind \"$ESPALIER_HOME/store\" \"$ESPALIER_HOME/store\" "
            + "&& mount -o remount,bind,ro \"$ESPALIER_HOME/store\"",
        "mount -o remount,bind,rw \"$ESPALIER_HOME/store\"",
        "ead-only",
        2)] // seen before the run begins
    public async Task Run_OnASickDisk_SaysWhatIsWrongAndGoesOnLater(string sicken, string heal, string word, int code)
    {
        var file = Path.Combine(_folder.FullName, "small.yaml");
        await File.WriteAllTextAsync(file, Pipeline);
        await File.WriteAllTextAsync(
            Path.Combine(_folder.FullName, "text.txt"),
            string.Join("\n\n", Enumerable.Range(0, 300).Select(i => $"Line {i} of a text in which {i} times {i} is {i * i}.")));
        var well = new CliProcess(Path.Combine(_folder.FullName, "well"), new Dictionary<string, string>());
        var expected = JsonSerializer.Deserialize<JsonElement>((await well.CallAsync(0, "run", file, "--json")).TrimEnd());

        var home = Directory.CreateDirectory(Path.Combine(_folder.FullName, "home")).FullName;
        var script = $"""
            set -e
            {sicken}
            set +e
            "$@" run {file} --json > {home}-sick.json 2> {home}-sick.txt
            echo $? > {home}-sick.code
            set -e
            {heal}
            "$@" run {file} --json > {home}-healed.json 2> {home}-healed.txt
            """;
        var variables = new Dictionary<string, string> { ["ESPALIER_HOME"] = home };
        await using var process = ServerProcess.Start(
            "KILL", variables, ["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh", "dotnet", Repository.Assembly("services/Cli")]);
        var exit = await process.WaitForExitAsync(TimeSpan.FromMinutes(5));

        var told = string.Join('\n', Directory.EnumerateFiles(_folder.FullName, "home-*").Select(f => $"{Path.GetFileName(f)}:\n{File.ReadAllText(f)}"));
        exit.ShouldBe(0, $"{process.Output}\n{told}");
        File.ReadAllText($"{home}-sick.code").Trim().ShouldBe($"{code}", told);
        (File.ReadAllText($"{home}-sick.txt") + File.ReadAllText($"{home}-sick.json")).ShouldContain(word, Case.Insensitive);
        Roots(JsonSerializer.Deserialize<JsonElement>(File.ReadAllText($"{home}-healed.json"))).ShouldBe(Roots(expected), told);
    }

    [Fact]
    public async Task Run_OnAnAlmostFullDisk_SaysSoWithinSecondsAndBeforeItWorks()
    {
        var file = Path.Combine(_folder.FullName, "small.yaml");
        await File.WriteAllTextAsync(file, Pipeline.Replace("tokens: 4k", "tokens: 4M", StringComparison.Ordinal)); // hours, if it had to be awaited
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "text.txt"), string.Concat(Enumerable.Repeat("Some text. ", 3000)));
        var home = Directory.CreateDirectory(Path.Combine(_folder.FullName, "home")).FullName;
        var said = Path.Combine(_folder.FullName, "said.txt");
        var script = $"mount -t tmpfs -o size=20m tmpfs {home} && exec \"$@\" run {file} 2> {said}";

        var clock = System.Diagnostics.Stopwatch.StartNew();
        await using var process = ServerProcess.Start(
            "KILL", new Dictionary<string, string> { ["ESPALIER_HOME"] = home },
            ["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh", "dotnet", Repository.Assembly("services/Cli")]);
        while (!(File.Exists(said) && (await File.ReadAllTextAsync(said)).Contains("is not stored while fewer", StringComparison.Ordinal)))
        {
            clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(60), process.Output);
            await Task.Delay(100);
        }

        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(15));
    }

    private static IEnumerable<string> Roots(JsonElement outcome) =>
        outcome.GetProperty("steps").EnumerateObject().Where(s => s.Name != "release").Select(s => $"{s.Name} {s.Value.GetProperty("root")}");
}
