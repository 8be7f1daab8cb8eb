using Azure;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Services.Embedded;

namespace Espalier.Orchestrator.Tests.Embedded;

/// <summary>A record that is damaged, a store that refuses or hangs: the trouble of one step, which the others do not notice.</summary>
public sealed class TroubleIsOfOneStepTests
{
    private const string One = "name: one\nstages:\n  a: { uses: noop, with: { text: one } }\n  b: { uses: noop, needs: a, with: { text: more } }\n";
    private const string Other = "name: other\nstages:\n  a: { uses: noop, with: { text: other } }\n";

    [Theory]
    [InlineData("")]
    [InlineData("{\"outputs\":{\"model\":{\"ki")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("{\"outputs\":null,\"metrics\":{}}")]
    [InlineData("{\"outputs\":{\"model\":{}},\"metrics\":{}}")]
    [InlineData("{\"outputs\":{\"model\":{\"kind\":\"report\",\"root\":"
        + "\"0000000000000000000000000000000000000000000000000000000000000000\",\"size-bytes\":1}},\"metrics\":{}}")]
    [InlineData("\u0001\u0002")]
    public async Task Run_DamagedRecord_IsAMissWhoseWorkIsDoneAgain(string damaged)
    {
        await using var platform = await EmbeddedPlatform.StartAsync();
        var first = await platform.EndAsync(await platform.SubmitAsync(One));
        var record = $"steps/{first.Steps[0].Key!.Value.Hex}";
        await platform.Artifacts.Blobs.WriteRecordAsync(record, System.Text.Encoding.UTF8.GetBytes(damaged), default);

        var second = await platform.EndAsync(await platform.SubmitAsync(One));
        var third = await platform.EndAsync(await platform.SubmitAsync(One));

        second.Steps.Select(s => s.State).ShouldBe([StepState.Succeeded, StepState.Cached], Describe(second));
        second.Steps[0].Outputs.ShouldBe(first.Steps[0].Outputs);
        third.Steps.ShouldAllBe(s => s.State == StepState.Cached);
        (await platform.Artifacts.Blobs.ReadRecordAsync(Damage.Prefix + record.Replace('/', '-'), default))
            .ShouldBe(System.Text.Encoding.UTF8.GetBytes(damaged));
        (await LogOf(platform, second)).ShouldContain("An earlier result cannot be used");
    }

    [Fact]
    public async Task Run_RecordNamesADamagedManifest_TheManifestIsMadeAgain()
    {
        await using var platform = await EmbeddedPlatform.StartAsync();
        var first = await platform.EndAsync(await platform.SubmitAsync(One));
        var root = first.Steps[0].Outputs["model"].Root;
        var path = Path.Combine(platform.Folder.FullName, "store", "blobs", root.Hex[..2], root.Hex[2..]);
        var bytes = await File.ReadAllBytesAsync(path);
        bytes[20] ^= 1;
        File.Delete(path);
        await File.WriteAllBytesAsync(path, bytes);

        var second = await platform.EndAsync(await platform.SubmitAsync(One));

        second.Steps.Select(s => s.State).ShouldBe([StepState.Succeeded, StepState.Cached], Describe(second));
        (await platform.Artifacts.ReadAsync(root, default)).Files.Count.ShouldBe(1);
        (await LogOf(platform, second)).ShouldContain("do not match its digest");
    }

    [Fact]
    public async Task Run_StoreRefusesOneStep_ItSaysWhyAndTheOtherRunsGoOn()
    {
        TroubledBlobStore? store = null;
        await using var platform = await EmbeddedPlatform.StartAsync(store: files => store = new TroubledBlobStore(files));
        var key = (await platform.EndAsync(await platform.SubmitAsync(One))).Steps[0].Key!.Value.Hex;
        store!.Before = (name, _) => name == $"records/steps/{key}" ? throw Refusal() : Task.CompletedTask;

        var held = await platform.SubmitAsync(One);
        var seen = await platform.WaitAsync(held, r => r.Message.Length > 0);
        var other = await platform.EndAsync(await platform.SubmitAsync(Other));
        store.Before = (_, _) => Task.CompletedTask;
        var ended = await platform.EndAsync(held);

        seen.State.ShouldBe(RunState.Queued);
        seen.Message.ShouldContain("403 AuthenticationFailed");
        seen.Message.ShouldContain("expired");
        seen.Message.ShouldNotContain("sig=");
        seen.Steps[0].Message.ShouldBe(seen.Message);
        other.State.ShouldBe(RunState.Succeeded, Describe(other));
        (ended.State, ended.Message).ShouldBe((RunState.Succeeded, ""));
        (await platform.Runs.ListAsync(10, default)).ShouldAllBe(r => r.Message == "");
    }

    [Fact]
    public async Task Run_StoreHangsForManySteps_TheOtherRunsGoOn()
    {
        TroubledBlobStore? store = null;
        await using var platform = await EmbeddedPlatform.StartAsync(store: files => store = new TroubledBlobStore(files));
        var wide = "name: wide\nstages:\n" + string.Join('\n', Enumerable.Range(0, 20).Select(i => $"  s{i}: {{ uses: noop, with: {{ text: t{i} }} }}"));
        var keys = (await platform.EndAsync(await platform.SubmitAsync(wide))).Steps.Select(s => $"records/steps/{s.Key!.Value.Hex}").ToHashSet();
        var hang = new TaskCompletionSource();
        store!.Before = (name, _) => keys.Contains(name) ? hang.Task : Task.CompletedTask;

        var held = await platform.SubmitAsync(wide);
        var seen = await platform.WaitAsync(held, r => r.Message.Contains("has not answered", StringComparison.Ordinal));
        var other = await platform.EndAsync(await platform.SubmitAsync(Other));
        hang.SetResult();
        var ended = await platform.EndAsync(held);

        other.State.ShouldBe(RunState.Succeeded, Describe(other));
        seen.State.ShouldBe(RunState.Queued);
        ended.Steps.ShouldAllBe(s => s.State == StepState.Cached);
    }

    [Fact]
    public async Task Claim_StepThatCannotBeAssigned_SaysWhyAndTheWorkerGetsTheNextOne()
    {
        TroubledBlobStore? store = null;
        await using var platform = await EmbeddedPlatform.StartAsync(store: files => store = new TroubledBlobStore(files));
        // So many inputs travel by the store, as a list.
        var refuses = true;
        store!.BeforePut = bytes => _ = refuses && bytes.Span[0] == (byte)'[' ? throw Refusal() : 0;
        var names = Enumerable.Range(0, MessageLimits.MostInputs + 1).Select(i => $"s{i}").ToList();
        var wide = "name: wide\nstages:\n" + string.Join('\n', names.Select(n => $"  {n}: {{ uses: noop, with: {{ text: {n} }} }}"))
            + $"\n  all: {{ uses: noop, retry: {{ attempts: 2, backoff: 50ms }}, needs: [{string.Join(", ", names)}] }}\n";

        var held = await platform.SubmitAsync(wide);
        await platform.WaitAsync(held, r => r.Steps[^1].Message.Contains("403 AuthenticationFailed", StringComparison.Ordinal));
        var other = await platform.EndAsync(await platform.SubmitAsync(Other));
        refuses = false;
        var ended = await platform.EndAsync(held);

        other.State.ShouldBe(RunState.Succeeded, Describe(other));
        ended.State.ShouldBe(RunState.Succeeded, Describe(ended));
    }

    private static RequestFailedException Refusal() => new(403, "Server failed to authenticate the request. ?sig=secret", "AuthenticationFailed", null);

    private static async Task<string> LogOf(EmbeddedPlatform platform, RunView run) =>
        string.Join('\n', (await platform.Runs.ReadLogAsync(run.RunId, 0, 1000, default)).Select(l => l.Body));

    private static string Describe(RunView run) => string.Join("; ", run.Steps.Select(s => $"{s.Name}: {s.State} {s.Message}"));
}
