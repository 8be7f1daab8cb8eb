namespace Espalier.CrashMatrix;

/// <summary>Does to the platform what a point says.</summary>
internal static class Disruptor
{
    private static readonly TimeSpan Away = TimeSpan.FromSeconds(3);

    /// <summary>Applies it, and restores what does not come back by itself. False when there was nothing to disrupt.</summary>
    public static async Task<bool> ApplyAsync(Site site, CrashPoint point)
    {
        switch (point.Disruption)
        {
            case Disruption.KillService:
                await site.Services[point.Target].SignalAsync("KILL");
                return true;
            case Disruption.TerminateService:
                await site.Services[point.Target].SignalAsync("TERM");
                return true;
            case Disruption.KillWork:
                return await KillWorkAsync(site, point.Target);
            case Disruption.FreezeService:
                await site.Services[point.Target].SignalAsync("STOP");
                await Task.Delay(Site.Lease * 1.5);
                await site.Services[point.Target].SignalAsync("CONT");
                return true;
            case Disruption.RestartBroker:
                await site.Servers.Broker.CrashAsync();
                await site.Servers.Broker.StartAsync();
                return true;
            case Disruption.RestartDatabase:
                await site.Servers.Database.CrashAsync();
                await Task.Delay(TimeSpan.FromMilliseconds(500));
                await site.Servers.Database.StartAsync();
                return true;
            case Disruption.StoreAway or Disruption.StoreSilent or Disruption.StoreSlow:
                site.Proxy!.Set(point.Disruption switch
                {
                    Disruption.StoreAway => StoreCondition.Away,
                    Disruption.StoreSilent => StoreCondition.Silent,
                    _ => StoreCondition.Slow,
                });
                await Task.Delay(Away);
                site.Proxy.Set(StoreCondition.Clear);
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
