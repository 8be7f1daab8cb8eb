using System.Diagnostics.Metrics;

namespace Espalier.Registry.Api;

/// <summary>Metrics of the portal. Nothing is collected without a listener.</summary>
internal static class PortalMetrics
{
    private static readonly Meter Meter = new("Espalier.Portal");

    /// <summary>Streams of events that browsers have open: one for all tabs of a browser.</summary>
    public static readonly UpDownCounter<long> Streams = Meter.CreateUpDownCounter<long>(
        "espalier.portal.streams", "{stream}", "Streams of events that browsers have open.");
}
