namespace Espalier.CrashMatrix;

/// <summary>Does to the platform what a point says.</summary>
internal static class Striker
{
    private static readonly TimeSpan Away = TimeSpan.FromSeconds(3);

    /// <summary>Strikes, and mends what needs somebody to mend it. False when there was nothing to strike.</summary>
    public static async Task<bool> StrikeAsync(Site site, CrashPoint point)
    {
        switch (point.Blow)
        {
            case Blow.KillService:
                await site.Services[point.Target].SignalAsync("KILL");
                return true;
            case Blow.TerminateService:
                await site.Services[point.Target].SignalAsync("TERM");
                return true;
            case Blow.KillWork:
                return await KillWorkAsync(site, point.Target);
            case Blow.FreezeService:
                await site.Services[point.Target].SignalAsync("STOP");
                await Task.Delay(Site.Lease * 1.5);
                await site.Services[point.Target].SignalAsync("CONT");
                return true;
            case Blow.RestartBroker:
                await site.Servers.Broker.CrashAsync();
                await site.Servers.Broker.StartAsync();
                return true;
            case Blow.RestartDatabase:
                await site.Servers.Database.CrashAsync();
                await Task.Delay(TimeSpan.FromMilliseconds(500));
                await site.Servers.Database.StartAsync();
                return true;
            case Blow.StoreAway or Blow.StoreSilent or Blow.StoreSlow:
                site.Proxy!.Set(point.Blow switch { Blow.StoreAway => StoreWeather.Away, Blow.StoreSilent => StoreWeather.Silent, _ => StoreWeather.Slow });
                await Task.Delay(Away);
                site.Proxy.Set(StoreWeather.Clear);
                return true;
            default:
                return true;
        }
    }

    /// <summary>Waits for work to be there: at a random moment most services have none.</summary>
    private static async Task<bool> KillWorkAsync(Site site, string target)
    {
        for (var tries = 0; tries < 3000; tries++)
        {
            if (site.Faults.Count().ContainsKey($"{target}-work@work-begin") && await site.Services[target].KillWorkAsync())
                return true;
            await Task.Delay(20);
        }
        return false;
    }
}
