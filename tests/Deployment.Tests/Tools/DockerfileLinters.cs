using System.Text.Json;

namespace Espalier.Deployment.Tests.Tools;

/// <summary>Two linters from npm: one knows bad habits, the other the syntax.</summary>
internal static class DockerfileLinters
{
    private static readonly Lazy<string> Folder = new(() => ToolFolder.Install("dockerfile-linters-1.8.0-0.16.3", folder =>
    {
        File.WriteAllText(Path.Combine(folder, "package.json"), """{ "private": true }""");
        Tool.Run(
            "npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "dockerfilelint@1.8.0", "dockerfile-utils@0.16.3"],
            folder);
    }));

    /// <summary>What they find in a file.</summary>
    public static IEnumerable<string> Lint(string file)
    {
        var stages = File.ReadLines(file).Where(l => l.StartsWith("FROM ", StringComparison.Ordinal)).Select(l => l.Split(' '))
            .Where(w => w.Length == 4).Select(w => w[3]).ToHashSet();
        var habits = Tool.TryRun("node", [Path.Combine(Folder.Value, "node_modules/dockerfilelint/bin/dockerfilelint"), file, "-o", "json"]).Output;
        foreach (var issue in JsonDocument.Parse(habits).RootElement.GetProperty("files")[0].GetProperty("issues").EnumerateArray())
        {
            var (title, line) = (issue.GetProperty("title").GetString(), issue.GetProperty("content").GetString()!);
            // It does not know that a stage of the same file has no tag.
            if (title != "Base Image Missing Tag" || !stages.Contains(line.Split(' ')[1]))
                yield return $"{line}: {title}";
        }
        var syntax = Tool.TryRun("node", [Path.Combine(Folder.Value, "node_modules/dockerfile-utils/bin/dockerfile-utils"), "lint", file]);
        if (syntax.Code != 0)
            yield return syntax.Output;
    }
}
