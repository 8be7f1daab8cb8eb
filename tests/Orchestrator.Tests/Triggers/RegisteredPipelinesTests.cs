using Espalier.Contracts;
using Espalier.Orchestrator.Triggers;
using Espalier.TestKit.Services.Triggers;

namespace Espalier.Orchestrator.Tests.Triggers;

public sealed class RegisteredPipelinesTests : IAsyncLifetime
{
    private readonly TriggerFixture _triggers = new();

    public Task InitializeAsync() => _triggers.StartAsync();

    public Task DisposeAsync()
    {
        _triggers.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Add_ChangedText_IsAFurtherVersion_AndTheSameTextIsNone()
    {
        (await _triggers.AddAsync("run.failed: { pipeline: other }")).Version.ShouldBe(1);
        (await _triggers.AddAsync("run.failed: { pipeline: other }")).Version.ShouldBe(1);
        var second = await _triggers.AddAsync("schedule: '0 3 * * *', model.registered: {}");

        second.Version.ShouldBe(2);
        second.Versions!.Select(v => v.Version).ShouldBe([2, 1]);
        second.Triggers.Select(t => t.Name).ShouldBe(["nightly.model.registered", "nightly.schedule"]);
        second.Triggers[1].Next.ShouldBe(new DateTimeOffset(2026, 1, 1, 3, 0, 0, TimeSpan.Zero));
        (await _triggers.Pipelines.ListAsync(default)).ShouldHaveSingleItem().Version.ShouldBe(2);
    }

    [Fact]
    public async Task Add_TriggersOfOneEvent_EachHasItsOwnStateAndHistory()
    {
        await _triggers.AddAsync(
            "model.registered: [{ model: demo, params: { text: any } }, { name: first, dedupe-key: '${event.model}', params: { text: first } }]");
        await _triggers.Triggers.SwitchAsync("nightly.model.registered", false, default);
        await _triggers.RegisterAsync("demo", 1);
        await _triggers.RoundAsync();
        await _triggers.Triggers.SwitchAsync("nightly.model.registered", true, default);
        await _triggers.RegisterAsync("demo", 2);
        await _triggers.RoundAsync();

        (await _triggers.FiringsAsync("nightly.model.registered")).Select(f => f.State).ShouldBe([FiringState.Refused, FiringState.Started]);
        (await _triggers.FiringsAsync("nightly.model.registered.first")).Select(f => f.State).ShouldBe([FiringState.Started, FiringState.Skipped]);
        (await _triggers.RunsAsync()).Select(r => (r.Cause!.Trigger, r.Cause.Event)).ShouldBe(
            [("nightly.model.registered.first", 1), ("nightly.model.registered", 2)]);
        var replay = await _triggers.Replays.RunAsync("nightly.model.registered.first", 10, default);
        replay!.Items.Select(i => i.State).ShouldBe([FiringState.Started, FiringState.Skipped]);
        (await Should.ThrowAsync<UserInputException>(() => _triggers.Triggers.FindAsync("nightly", default))).Message.ShouldBe(
            "Pipeline 'nightly' has 2 triggers; name one: nightly.model.registered, nightly.model.registered.first.");
    }

    [Fact]
    public async Task Add_ListInPlaceOfOneTrigger_KeepsTheStateOfTheOneWithoutAName()
    {
        await _triggers.AddAsync("schedule: '0 3 * * *'");
        await _triggers.Triggers.SwitchAsync("nightly", false, default);

        var second = await _triggers.AddAsync("schedule: [{ name: noon, cron: '0 12 * * *' }, '0 3 * * *']");
        var third = await _triggers.AddAsync("schedule: [{ name: noon, cron: '0 12 * * *' }]");

        second.Triggers.Select(t => (t.Name, t.Enabled)).ShouldBe([("nightly.schedule", false), ("nightly.schedule.noon", true)]);
        third.Triggers.Select(t => (t.Name, t.Enabled)).ShouldBe([("nightly.schedule.noon", true)]);
    }

    [Fact]
    public async Task Add_PipelineOfAnother_IsRefusedButToAnAdministrator()
    {
        await _triggers.AddAsync("model.registered: {}");

        var yaml = TriggerFixture.Yaml("alias.moved: {}");
        var refusal = await Should.ThrowAsync<NotOwnerException>(() => _triggers.Addition.AddAsync("nightly", "n.yaml", yaml, "eve", false, default));
        refusal.Message.ShouldBe("Pipeline 'nightly' is ada's: only its owner or an administrator may do that.");
        (await _triggers.Addition.AddAsync("nightly", "n.yaml", yaml, "root", true, default)).Owner.ShouldBe("root");
        await Should.ThrowAsync<NotOwnerException>(() => _triggers.Pipelines.RemoveAsync("nightly", "ada", false, default));
    }

    [Fact]
    public async Task Remove_Pipeline_TakesItsTriggersAndKeepsItsNumbers()
    {
        await _triggers.AddAsync("model.registered: {}");

        (await _triggers.Pipelines.RemoveAsync("nightly", TriggerFixture.Owner, false, default)).ShouldBeTrue();
        (await _triggers.Pipelines.RemoveAsync("nightly", TriggerFixture.Owner, false, default)).ShouldBeFalse();

        (await _triggers.Pipelines.FindAsync("nightly", default)).ShouldBeNull();
        (await _triggers.Triggers.ListAsync(default)).ShouldBeEmpty();
        (await _triggers.AddAsync("model.registered: {}")).Version.ShouldBe(2, "a number never means two texts");
    }

    [Fact]
    public async Task Add_WrongNameOrFile_SaysWhatToDo()
    {
        var wrongName = await Should.ThrowAsync<UserInputException>(
            () => _triggers.Addition.AddAsync("weekly", "n.yaml", TriggerFixture.Yaml("model.registered: {}"), "ada", false, default));
        var wrongFile = await Should.ThrowAsync<UserInputException>(() => _triggers.AddAsync("model.registred: {}"));

        wrongName.Message.ShouldBe("n.yaml: the pipeline is named 'nightly', and is added as 'weekly': use the same name.");
        wrongFile.Problems.ShouldHaveSingleItem().ToString().ShouldBe("nightly.yaml:3:7: unknown event 'model.registred': did you mean 'model.registered'?");
    }

    [Fact]
    public async Task Add_BeforeAnyWorkerWasHeard_SaysWhatToDo()
    {
        using var empty = new TriggerFixture();

        var refusal = await Should.ThrowAsync<UserInputException>(() => empty.AddAsync("model.registered: {}"));

        refusal.Message.ShouldBe(
            "nightly.yaml cannot be checked: no worker has said yet which stages it offers. Start the workers, and add it again.");
    }

    [Theory]
    [InlineData("run.succeeded: {}")]
    [InlineData("run.failed: { pipeline: 'night*' }")]
    [InlineData("run.cancelled: [{ pipeline: other }, { name: again }]")]
    public async Task Add_PipelineThatStartsItself_IsRefused(string on)
    {
        var refusal = await Should.ThrowAsync<UserInputException>(() => _triggers.AddAsync(on));

        refusal.Message.ShouldContain("the pipeline would start itself without end");
        (await _triggers.Pipelines.ListAsync(default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Add_PipelineThatMayStartItself_Warns()
    {
        var added = await _triggers.AddAsync("run.failed: { when: 'event.trigger != \"nightly.run.failed\"' }, webhook: { secret: push }");

        added.Warnings!.Count.ShouldBe(2);
        added.Warnings[0].ShouldStartWith("on: run.failed: it is a run of this pipeline that ends, which may start it again when this is true");
        added.Warnings[1].ShouldContain("the secret 'push' is not set: an administrator sets secrets:push of the orchestrator (ESPALIER__SECRETS__PUSH)");
    }
}
