using System.Diagnostics;
using System.Globalization;
using Xunit.Abstractions;

namespace Espalier.Integration.Tests.Drills;

/// <summary>Says after each part of a drill how long it took, and under which load.</summary>
internal sealed class DrillReport(ITestOutputHelper output)
{
    private readonly Stopwatch _whole = Stopwatch.StartNew();
    private TimeSpan _before;

    /// <summary>A part has ended.</summary>
    public void Done(string what)
    {
        var now = _whole.Elapsed;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(now - _before).TotalSeconds,7:0.0} s  {what}"));
        _before = now;
    }

    /// <summary>The drill has ended.</summary>
    public void End(string lost) => output.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"{_whole.Elapsed.TotalSeconds,7:0.0} s  in all; load {File.ReadAllText("/proc/loadavg").Split(' ')[0]}; lost: {lost}"));
}
