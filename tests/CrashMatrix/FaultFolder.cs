namespace Espalier.CrashMatrix;

/// <summary>The folder through which faults reach the processes, and in which they record the points they reach.</summary>
internal sealed class FaultFolder
{
    public FaultFolder(string path)
    {
        Path = Directory.CreateDirectory(path).FullName;
        Set("");
    }

    public string Path { get; }

    /// <summary>Whether the fault has acted.</summary>
    public bool HasFired => Directory.Exists(Fired) && Directory.EnumerateFiles(Fired).Any();

    /// <summary>Whether a fault of a role, such as <c>pruner-work</c>, has acted.</summary>
    public bool HasFiredAt(string role) =>
        Directory.Exists(Fired) && Directory.EnumerateFiles(Fired).Any(f => f.Contains($"-{role}@", StringComparison.Ordinal));

    private string Reached => System.IO.Path.Combine(Path, "reached");

    private string Fired => System.IO.Path.Combine(Path, "fired");

    /// <summary>Sets the faults of the next run; every process counts from zero again.</summary>
    public void Set(string faults)
    {
        foreach (var folder in new[] { Reached, Fired }.Where(Directory.Exists))
            Directory.Delete(folder, recursive: true);
        var file = System.IO.Path.Combine(Path, "faults.new");
        File.WriteAllText(file, faults);
        File.Move(file, System.IO.Path.Combine(Path, "faults"), overwrite: true);
    }

    /// <summary>How often each <c>ROLE@POINT</c> was reached.</summary>
    public IReadOnlyDictionary<string, int> Count()
    {
        if (!Directory.Exists(Reached))
            return new Dictionary<string, int>();
        return Directory.EnumerateFiles(Reached).SelectMany(Lines).GroupBy(l => l).ToDictionary(g => g.Key, g => g.Count());
    }

    /// <summary>How often work processes saved a position: finished units.</summary>
    public int Units() => Count().Where(c => c.Key.EndsWith("-work@cursor-saved", StringComparison.Ordinal)).Sum(c => c.Value);

    private static IEnumerable<string> Lines(string path)
    {
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        while (reader.ReadLine() is { } line)
            yield return line;
    }
}
