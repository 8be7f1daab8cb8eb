using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;

namespace Espalier.TestKit.Services.Ledger;

/// <summary>What must hold of the orders of lists of runs in any database.</summary>
internal static class OrderChecks
{
    /// <summary>Pages of every order, of two runs each, are together what one long list is, and that list is in order.</summary>
    public static async Task PagesAsync(LedgerFixture ledger)
    {
        await ledger.AdvertiseAsync();
        // Name, seconds that it ran; the last has not begun, and the one before is running.
        (string Name, int? Seconds)[] submitted = [("b", 5), ("a", 1), ("b", 3), ("c", 3), ("a", 9), ("c", null), ("a", null)];
        var runs = new List<Guid>();
        foreach (var (name, seconds) in submitted[..^2])
            runs.Add(await RunAsync(ledger, name, seconds!.Value));
        runs.Add((await BeginAsync(ledger, submitted[^2].Name)).Run);
        ledger.Clock.Advance(TimeSpan.FromSeconds(4));
        runs.Add(await SubmitAsync(ledger, submitted[^1].Name));

        await ExpectAsync("created", 0, 1, 2, 3, 4, 5, 6);
        await ExpectAsync("created desc", 6, 5, 4, 3, 2, 1, 0);
        await ExpectAsync("name", 6, 4, 1, 2, 0, 5, 3);
        await ExpectAsync("name desc", 5, 3, 2, 0, 6, 4, 1);
        await ExpectAsync("duration", 6, 1, 3, 2, 5, 0, 4);
        await ExpectAsync("duration desc", 4, 0, 5, 3, 2, 1, 6);
        var failed = await Should.ThrowAsync<UserInputException>(
            ledger.Reader.ListAsync(new RunQuery { IsArchived = true, Order = new RunOrder(RunOrderField.Duration, true) }, default));
        failed.Message.ShouldContain("not ordered by duration");

        async Task ExpectAsync(string text, params int[] expected)
        {
            RunOrder.TryParse(text, out var order).ShouldBeTrue(text);
            (await NumbersAsync(new RunQuery { Order = order })).ShouldBe(expected.ToList(), text);
            var paged = new List<int>();
            while (true)
            {
                var query = new RunQuery { Order = order, Limit = 2, Before = paged.Count > 0 ? runs[paged[^1]] : null };
                var page = await NumbersAsync(query);
                paged.AddRange(page);
                if (page.Count < query.Limit)
                    break;
            }
            paged.ShouldBe(expected.AsEnumerable(), $"{text}, two at a time");
            (await NumbersAsync(new RunQuery { Order = order, Name = "a", Limit = 2 })).ShouldBe(expected.Where(i => submitted[i].Name == "a").Take(2), text);
        }

        async Task<IReadOnlyList<int>> NumbersAsync(RunQuery query) =>
            [.. (await ledger.Reader.ListAsync(query, default)).Select(r => runs.IndexOf(r.RunId))];
    }

    private static async Task<Guid> RunAsync(LedgerFixture ledger, string name, int seconds)
    {
        var (run, step) = await BeginAsync(ledger, name);
        ledger.Clock.Advance(TimeSpan.FromSeconds(seconds));
        (await ledger.Steps.FinishAsync(LedgerFixture.Finished(step), default)).ShouldBeTrue();
        ledger.Clock.Advance(TimeSpan.FromSeconds(1));
        return run;
    }

    private static async Task<(Guid Run, StepRow Step)> BeginAsync(LedgerFixture ledger, string name)
    {
        var run = await SubmitAsync(ledger, name);
        await ledger.PrepareAsync();
        return (run, (await ledger.ClaimAsync($"w-{run:N}")).ShouldNotBeNull());
    }

    private static async Task<Guid> SubmitAsync(LedgerFixture ledger, string name)
    {
        var id = Guid.CreateVersion7();
        await ledger.Runs.SubmitAsync(new SubmitRun { RunId = id, Pipeline = "" }, LedgerFixture.Plan("a") with { Name = name }, default);
        return id;
    }
}
