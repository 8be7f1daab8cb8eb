namespace Espalier.CrashMatrix.Tests.Drills;

/// <summary>
/// A wall clock of their own for the services, which a test sets: libfaketime, loaded before the C library. The monotonic clock and the times
/// of files are the machine's, as they are on a machine whose clock is set.
/// </summary>
internal sealed class FakeClock
{
    private string _file = "";

    /// <summary>Where Debian's package puts it; null where it is not installed.</summary>
    public static string? Library { get; } = Directory.Exists("/usr/lib")
        ? Directory.EnumerateDirectories("/usr/lib").Select(d => Path.Combine(d, "faketime", "libfaketimeMT.so.1")).FirstOrDefault(File.Exists)
        : null;

    /// <summary>Sets the clock right; what makes a service go by it.</summary>
    public Task<Surroundings> StartAsync(string folder)
    {
        _file = Path.Combine(folder, "clock");
        Jump(0);
        return Task.FromResult(Surroundings.Usual with
        {
            Environment = new Dictionary<string, string>
            {
                ["LD_PRELOAD"] = Library!, ["FAKETIME_TIMESTAMP_FILE"] = _file, ["FAKETIME_CACHE_DURATION"] = "1",
                ["DONT_FAKE_MONOTONIC"] = "1", ["NO_FAKE_STAT"] = "1",
                // Otherwise waits that .NET counts by the monotonic clock end at once.
                ["FAKETIME_FORCE_MONOTONIC_FIX"] = "0",
            },
        });
    }

    /// <summary>Sets the clock to so many days from the right time.</summary>
    public void Jump(int days)
    {
        File.WriteAllText($"{_file}.new", $"{(days < 0 ? "" : "+")}{days * 86_400}");
        File.Move($"{_file}.new", _file, overwrite: true);
    }
}

/// <summary>A test that sets the clock of services: skipped, with the reason, where nothing is installed that can.</summary>
public sealed class ClockFactAttribute : FactAttribute
{
    public ClockFactAttribute() => Skip = FakeClock.Library is null ? "libfaketime is not installed: apt-get install libfaketime" : null;
}
