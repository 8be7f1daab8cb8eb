namespace Espalier.Messaging.Tests;

public sealed class BannedApiTests
{
    /// <summary>On a broker without the delayed-exchange plugin these close the whole connection; delays live in the outbox.</summary>
    private static readonly string[] Banned =
        [
            "UseDelayed" + "MessageScheduler", "AddDelayed" + "MessageScheduler", "UseDelayed" + "Redelivery", "UseScheduled" + "Redelivery",
            "SchedulePublish(", "ScheduleSend(",
        ];

    [Fact]
    public void Sources_DelayedScheduler_IsNeverUsed()
    {
        var root = FindRoot();
        var sources = new[] { "services", "shared" }
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(root, folder), "*.cs", SearchOption.AllDirectories))
            .Where(path => !path.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}"))
            .ToList();

        var uses = from path in sources
                   let text = File.ReadAllText(path)
                   from name in Banned
                   where text.Contains(name, StringComparison.Ordinal)
                   select $"{Path.GetRelativePath(root, path)}: {name}";

        sources.ShouldNotBeEmpty();
        uses.ShouldBeEmpty();
    }

    [Fact]
    public void MassTransit_MajorVersion_IsTheFreeOne() =>
        typeof(MassTransit.IBus).Assembly.GetName().Version!.Major.ShouldBe(8);

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Platform.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("Platform.sln is in no folder above the tests.");
    }
}
