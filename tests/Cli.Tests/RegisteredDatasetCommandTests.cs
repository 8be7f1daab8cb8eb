namespace Espalier.Cli.Tests;

/// <summary>A dataset that one pipeline registers and others use, in this process.</summary>
public sealed class RegisteredDatasetCommandTests : IDisposable
{
    private const string Train = "tokens: 1k, length: 32, batch: 4, seed: 3, "
        + "model: { family: olmoe, layers: 1, hidden: 16, heads: 2, experts: 2, top-k: 1, expert-size: 8, vocabulary: bytes }";

    private readonly CliRun _cli = new();

    public void Dispose() => _cli.Dispose();

    [Fact]
    public async Task Run_PipelinesThatNameARegisteredDataset_UseItAloneAndInMixtures()
    {
        _cli.Write("notes.txt", string.Join("\n\n", Enumerable.Range(0, 300).Select(i => $"Note {i}, in which {i} times {i} is {i * i}.")));
        _cli.Write("other.txt", string.Join("\n\n", Enumerable.Range(0, 300).Select(i => $"Another text of {i} words, or of {i + 1}.")));
        await RunAsync("register.yaml", "release: { uses: register, with: { name: notes, dataset: \"file:notes.txt\" } }");
        await RunAsync("register.yaml", "release: { uses: register, with: { name: notes, dataset: \"file:notes.txt\" } }"); // the same is no new version
        File.Delete(_cli.PathOf("notes.txt"));

        await RunAsync("alone.yaml", $"base: {{ uses: train, with: {{ data: \"dataset:notes@1\", {Train} }} }}");
        _cli.Json.GetProperty("steps").EnumerateObject().Select(s => s.Name).ShouldBe(["base"]);
        await RunAsync(
            "mixed.yaml",
            $"base: {{ uses: train, with: {{ data: [{{ from: \"dataset:notes\", weight: 0.5 }}, {{ from: \"file:other.txt\", weight: 0.5 }}], {Train} }} }}");

        (await _cli.CallAsync("datasets", "--json")).ShouldBe(0, _cli.Error);
        var listed = _cli.Json.GetProperty("datasets").EnumerateArray().ShouldHaveSingleItem();
        (listed.GetProperty("name").GetString(), listed.GetProperty("version").GetInt32(), listed.GetProperty("source").GetString())
            .ShouldBe(("notes", 1, "file"));
    }

    [Fact]
    public async Task Plan_DatasetThatNobodyRegistered_NamesTheNearest()
    {
        _cli.Write("notes.txt", string.Join("\n\n", Enumerable.Range(0, 300).Select(i => $"Note {i}, in which {i} times {i} is {i * i}.")));
        await RunAsync("register.yaml", "release: { uses: register, with: { name: notes, dataset: \"file:notes.txt\" } }");
        var pipeline = Write("wrong.yaml", $"base: {{ uses: train, with: {{ data: \"dataset:notse@1\", {Train} }} }}");

        (await _cli.CallAsync("plan", pipeline)).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("'data': the registry has no dataset:notse@1; did you mean 'dataset:notes@1'?");
    }

    [Fact]
    public async Task Plan_AliasOfADataset_IsRefused()
    {
        _cli.Write("notes.txt", "A note.");
        var pipeline = Write("alias.yaml", "release: { uses: register, with: { name: notes, dataset: \"file:notes.txt\", alias: best } }");

        (await _cli.CallAsync("plan", pipeline)).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("a dataset has versions and no aliases");
    }

    private async Task RunAsync(string file, string stage) => (await _cli.CallAsync("run", Write(file, stage), "--json")).ShouldBe(0, _cli.Error);

    private string Write(string file, string stage) => _cli.Write(file, $"name: {Path.GetFileNameWithoutExtension(file)}\nstages:\n  {stage}\n");
}
