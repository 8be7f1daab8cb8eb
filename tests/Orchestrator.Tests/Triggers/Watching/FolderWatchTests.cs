using Espalier.Contracts;
using Espalier.Orchestrator.Tests.Notices;
using Espalier.TestKit.Services.Triggers;

namespace Espalier.Orchestrator.Tests.Triggers.Watching;

public sealed class FolderWatchTests : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("watched-");
    private readonly TriggerFixture _triggers;

    public FolderWatchTests() => _triggers = new TriggerFixture(folder: _folder.FullName);

    public Task InitializeAsync() => _triggers.StartAsync();

    public Task DisposeAsync()
    {
        _triggers.Dispose();
        _folder.Delete(recursive: true);
        return Task.CompletedTask;
    }

    [Fact]
    public async Task File_New_StartsARunWhenItIsNoLongerWrittenTo()
    {
        Write("old.txt", "was there before");
        await AddAsync();
        await LookAsync();

        Write("new.txt", "half");
        await LookAsync();
        Write("new.txt", "half and half");
        await LookAsync();
        (await _triggers.RunsAsync()).ShouldBeEmpty("it is still written to");
        await LookAsync();
        await LookAsync();
        await LookAsync();

        var run = (await _triggers.RunsAsync()).ShouldHaveSingleItem();
        (await _triggers.ParametersAsync(run.RunId)).ShouldBe("""{"text":"new.txt 13"}""");
    }

    [Fact]
    public async Task File_Changed_OrBelow_IsNewsAndOtherNamesAreNot()
    {
        Write("old.txt", "was there before");
        await AddAsync();
        await LookAsync();

        Write("old.txt", "and is longer now");
        Write("notes.md", "another kind");
        _folder.CreateSubdirectory("below");
        Write("below/new.txt", "deeper");
        Write(".hidden.txt", "nobody's");
        for (var i = 0; i < 4; i++)
            await LookAsync();

        (await _triggers.RunsAsync()).Count.ShouldBe(2);
    }

    [Fact]
    public async Task Folder_OutsideTheDataFolders_IsRefused()
    {
        var refusal = await Should.ThrowAsync<UserInputException>(() => _triggers.AddAsync("watch: /etc"));

        refusal.Message.ShouldContain("/etc is not read: this platform reads text below");
    }

    [Fact]
    public async Task Folder_Gone_IsSaidAtItsTriggerUntilItIsBackAndOthersGoOn()
    {
        await AddAsync();
        await LookAsync();
        var gone = Path.Combine(_folder.FullName, "gone");
        await _triggers.AddAsync($"watch: {{ path: {gone}, settle: 3s }}", "away");
        await LookAsync();
        var first = (await _triggers.Triggers.ShowAsync("away", 0, default))!;

        Write("new.txt", "x");
        for (var i = 0; i < 4; i++)
            await LookAsync();

        (await _triggers.RunsAsync()).ShouldHaveSingleItem().Pipeline.ShouldBe("nightly");
        first.Trouble.ShouldBe($"The folder {gone} cannot be read: it does not exist. Make it, or remove the trigger.");
        var still = (await _triggers.Triggers.ListAsync(default)).Single(t => t.Pipeline == "away");
        (still.Trouble, still.TroubleSince).ShouldBe((first.Trouble, first.TroubleSince!.Value), "it is said since when, not how often");
        Directory.CreateDirectory(gone);
        await LookAsync();
        (await _triggers.Triggers.ShowAsync("away", 0, default))!.ShouldSatisfyAllConditions(
            t => t.Trouble.ShouldBe(""), t => t.TroubleSince.ShouldBeNull());
    }

    [Fact]
    public async Task Folder_WithTooManyFiles_SaysSoUntilSomeAreMovedAway()
    {
        await AddAsync();
        await LookAsync();
        for (var i = 0; i <= 10_000; i++)
            Write($"{i}.txt", "");

        await LookAsync();
        await LookAsync();
        (await _triggers.Triggers.ShowAsync("nightly", 0, default))!.Trouble.ShouldBe(
            $"The folder {_folder.FullName} holds more than 10000 files that match '*.txt': move old ones away, or narrow the pattern. "
                + "Until then none of them is new.");
        (await _triggers.Triggers.EventsAsync("watch", 1, default)).ShouldBeEmpty();
        for (var i = 2; i <= 10_000; i++)
            File.Delete(Path.Combine(_folder.FullName, $"{i}.txt"));
        for (var i = 0; i < 3; i++)
            await LookAsync();

        (await _triggers.Triggers.ShowAsync("nightly", 0, default))!.Trouble.ShouldBe("");
        (await _triggers.RunsAsync()).Count.ShouldBe(2, "the two that are left are new");
    }

    [Fact]
    public async Task Folder_ThatMayNoLongerBeWatched_IsSaidWithTheSetting()
    {
        await AddAsync();
        await LookAsync();
        using var moved = new TemporaryLink(Path.Combine(_folder.FullName, "link"), "/etc");
        await _triggers.Ledger.Database.WriteAsync(
            transaction => transaction.ExecuteAsync(
                "update pipeline_trigger set settings = replace(settings, @before, @after)",
                new { before = $"\"{_folder.FullName}\"", after = $"\"{moved.Path}\"" }), default);

        await LookAsync();

        (await _triggers.Triggers.ShowAsync("nightly", 0, default))!.Trouble.ShouldStartWith($"{moved.Path} is not read: this platform reads text below ");
        await _triggers.Triggers.SwitchAsync("nightly", false, default);
        (await _triggers.Triggers.ShowAsync("nightly", 0, default))!.Trouble.ShouldBe("", "what is off is not looked at");
    }

    [Fact]
    public async Task Place_ThatDoesNotAnswer_IsSaidAtItsTriggerAndOthersGoOn()
    {
        using var hanging = new HangingReceiver();
        using var triggers = await new TriggerFixture(
            settings: new Dictionary<string, string?>
            {
                ["blobs:away:container"] = "any", ["blobs:away:location"] = $"{hanging.Address}any?sig=x&sp=rl&sv=2024-08-04",
            },
            folder: _folder.FullName, patience: TimeSpan.FromSeconds(1)).StartAsync();
        await triggers.AddAsync("watch: { blobs: away }", "away");
        await triggers.AddAsync($"watch: {{ path: {_folder.FullName}, settle: 0s }}");
        await triggers.RoundAsync();

        Write("new.txt", "x");
        triggers.Ledger.Clock.Advance(TimeSpan.FromSeconds(2));
        await triggers.RoundAsync();

        (await triggers.Triggers.ShowAsync("away", 0, default))!.Trouble.ShouldBe("The place has not answered for 1 s; still waiting for it.");
        (await triggers.RunsAsync()).ShouldHaveSingleItem().Pipeline.ShouldBe("nightly");
    }

    [Fact]
    public async Task Folder_AnotherInANewVersion_HoldsNothingThatIsNew()
    {
        await AddAsync();
        await LookAsync();
        var other = _folder.CreateSubdirectory("other");
        Write("other/old.txt", "was there before");
        await _triggers.AddAsync($"watch: {{ path: {other.FullName}, settle: 0s }}");

        await LookAsync();
        await LookAsync();
        (await _triggers.RunsAsync()).ShouldBeEmpty();
        Write("other/new.txt", "x");
        await LookAsync();

        (await _triggers.RunsAsync()).Count.ShouldBe(1);
    }

    private Task AddAsync() => _triggers.AddAsync(
        $"watch: {{ path: {_folder.FullName}, pattern: '*.txt', settle: 3s, params: {{ text: '${{event.name}} ${{event.size}}' }} }}");

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder.FullName, name), text);

    private async Task LookAsync()
    {
        _triggers.Ledger.Clock.Advance(TimeSpan.FromSeconds(2));
        await _triggers.RoundAsync();
    }

    private sealed class TemporaryLink : IDisposable
    {
        public TemporaryLink(string path, string target)
        {
            Path = path;
            Directory.CreateSymbolicLink(path, target);
        }

        public string Path { get; }

        public void Dispose() => Directory.Delete(Path);
    }
}
