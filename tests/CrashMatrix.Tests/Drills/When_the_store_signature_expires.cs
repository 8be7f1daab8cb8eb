using System.Text.Json;
using Xunit.Abstractions;

namespace Espalier.CrashMatrix.Tests.Drills;

/// <summary>
/// The shared access signature of the store expires in the middle of a run, and somebody renews it in the file of <c>store:location-file</c>.
/// </summary>
[Collection(DrillServers.Name)]
public sealed class When_the_store_signature_expires(DrillServers servers, ITestOutputHelper output)
{
    /// <summary>More than a pipeline allows by default.</summary>
    private const int Attempts = 4;

    [Fact]
    public async Task Reason_is_shown_and_run_goes_on_with_the_new_one()
    {
        await using var drill = await Drill.StartAsync(servers, output, StoreKind.Azurite, new SiteOptions { HasLocationFile = true });
        var run = await drill.AgainAsync("cpt-trainer-work@cursor-saved:2:delay:8000");
        await drill.HeldAsync("cpt-trainer-work");

        Renew(drill, TimeSpan.FromSeconds(3));
        var shown = await drill.UntilAsync("status names the refusal", async () => Refuses(ProblemOf(await drill.StatusAsync())));
        var explained = await drill.UntilAsync("the run names the refusal", async () => Refuses((await drill.WaitOfAsync(run, "cpt")).Text));
        await drill.UntilAsync("it is tried more often than failures are", async () =>
            (await drill.StepAsync(run, "cpt")).GetProperty("attempts").GetInt32() >= Attempts && Refuses((await drill.WaitOfAsync(run, "cpt")).Text));
        var (_, ready) = await drill.Site.Services["cpt-trainer"].AskAsync("/readyz");
        Renew(drill, TimeSpan.FromHours(1));
        var again = await drill.GoesOnAsync(run, "cpt", Attempts);
        await drill.EndAsync(run);

        ready.ShouldContain("refuses access");
        var lost = await drill.CheckAsync(run);
        drill.Say($"expired signature: status after {shown.TotalSeconds - 3:0.0} s, run after {(shown + explained).TotalSeconds - 3:0.0} s, "
            + $"on {again.TotalSeconds:0.0} s after the renewal, {lost} attempts that do not count");
    }

    private static void Renew(Drill drill, TimeSpan validity)
    {
        var file = $"{drill.Site.LocationFile}.new";
        File.WriteAllText(file, drill.Site.SignedUrl(validity) + "\n");
        File.Move(file, drill.Site.LocationFile, overwrite: true);
    }

    private static bool Refuses(string text) => text.Contains("refuses access", StringComparison.Ordinal) && !text.Contains("sig=", StringComparison.Ordinal);

    private static string ProblemOf(JsonElement status) => status.GetProperty("store").GetProperty("problem").GetString()!;
}
