using System.Text.Json;
using System.Text.Json.Nodes;

namespace Espalier.Tokenizers.Tests;

/// <summary>The files in <c>golden/</c>; the scripts there say where they come from.</summary>
internal static class GoldenFiles
{
    public static string[] TortureTexts { get; } = JsonSerializer.Deserialize<string[]>(Read("torture.json"))!;

    public static JsonNode Golden { get; } = JsonNode.Parse(Read("golden.json"))!;

    public static byte[] TokenizerJson { get; } = Read("tokenizer.json");

    public static byte[] TokenizerConfig { get; } = Read("tokenizer_config.json");

    /// <summary>As the reference trainer reads a file: line by line, with the line end.</summary>
    public static IEnumerable<string> TrainingLines() =>
        System.Text.Encoding.UTF8.GetString(Read("training.txt")).Split('\n').Select(line => line + "\n");

    public static int[][] Ids(JsonNode ids) => ids.Deserialize<int[][]>()!;

    public static byte[] Read(string name) => File.ReadAllBytes(Path.Combine(Folder(), name));

    // Path maps rewrite the caller's path in deterministic builds, so the folder is looked for above the test's binaries.
    private static string Folder()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var golden = Path.Combine(folder.FullName, "tests", "Tokenizers.Tests", "golden");
            if (Directory.Exists(golden))
                return golden;
        }
        throw new DirectoryNotFoundException("tests/Tokenizers.Tests/golden is not above the test binaries.");
    }
}
