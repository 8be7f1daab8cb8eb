using Espalier.Contracts;
using Espalier.TestKit.Services.Triggers;

namespace Espalier.Orchestrator.Tests.Triggers;

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
    public async Task Folder_Gone_IsNewsOfNothingAndOthersGoOn()
    {
        await AddAsync();
        await LookAsync();
        await _triggers.AddAsync($"watch: {{ path: {_folder.FullName}/gone, settle: 3s }}", "away");

        Write("new.txt", "x");
        for (var i = 0; i < 4; i++)
            await LookAsync();

        (await _triggers.RunsAsync()).ShouldHaveSingleItem().Pipeline.ShouldBe("nightly");
    }

    private Task AddAsync() => _triggers.AddAsync(
        $"watch: {{ path: {_folder.FullName}, pattern: '*.txt', settle: 3s, params: {{ text: '${{event.name}} ${{event.size}}' }} }}");

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder.FullName, name), text);

    private async Task LookAsync()
    {
        _triggers.Ledger.Clock.Advance(TimeSpan.FromSeconds(2));
        await _triggers.RoundAsync();
    }
}
