using Espalier.Artifacts.Uploads;
using Espalier.Contracts;
using Espalier.Integration.Tests.Platform;
using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Distributed;

namespace Espalier.Integration.Tests.Distributed;

/// <summary>Text that only the submitter's machine has, on a platform that reads no files of its own: uploaded, registered, used by name.</summary>
[Collection(ServersCollection.Name)]
public sealed class OwnTextTests(BrokerAndDatabase servers) : IDisposable
{
    private const string Train = "tokens: 1k, length: 32, batch: 4, seed: 3, "
        + "model: { family: olmoe, layers: 1, hidden: 16, heads: 2, experts: 2, top-k: 1, expert-size: 8, vocabulary: bytes }";

    private const int ExitCodeOfBadInput = 2;

    private readonly DirectoryInfo _mine = Directory.CreateTempSubdirectory("submitter-");

    public void Dispose() => _mine.Delete(recursive: true);

    [Fact]
    public async Task Submit_TextOfAnotherMachine_IsUploadedOnceAndRegisteredForLaterRuns()
    {
        await using var platform = await ComposedPlatform.StartAsync(
            servers, ["compose.yaml"], new Dictionary<string, string>(), _ => new Dictionary<string, string>(), "orchestrator", "registry", "cpt-trainer");
        var domain = _mine.CreateSubdirectory("domain");
        for (var i = 0; i < 30; i++)
            await File.WriteAllTextAsync(Path.Combine(domain.FullName, $"{i}.txt"), $"Text {i} of the submitter's own, and of nobody else's {i * i}.");
        var first = Write(
            "first.yaml", $"base: {{ uses: train, with: {{ data: \"dir:./domain\", {Train} }} }}",
            "kept: { uses: register, with: { name: mine, dataset: \"dir:./domain\" } }");
        var later = Write(
            "later.yaml",
            "base: { uses: train, with: { data: [{ from: \"dataset:mine@1\", weight: 0.5 }, { from: \"corpus:synthetic\", weight: 0.5 }], "
                + $"{Train} }} }}");
        var wrong = Write("wrong.yaml", $"base: {{ uses: train, with: {{ data: \"dataset:mien\", {Train} }} }}");
        var cli = new CliProcess(Path.Combine(_mine.FullName, "home"), new Dictionary<string, string>
        {
            ["ESPALIER_SERVER"] = $"{platform.AddressOf("orchestrator")}", ["ESPALIER_REGISTRY"] = $"{platform.AddressOf("registry")}",
            ["ESPALIER_KEY"] = ComposedPlatform.Key,
        });

        var run = await SubmitAsync(platform, cli, first);
        var again = await SubmitAsync(platform, cli, first);
        domain.Delete(recursive: true);
        var mixed = await SubmitAsync(platform, cli, later);
        await cli.CallAsync(ExitCodeOfBadInput, "submit", wrong);
        var uploads = await platform.Artifacts.Blobs.ListRecordsAsync(UploadStore.RecordPrefix, default).ToListAsync();

        foreach (var ended in new[] { run, again, mixed })
            ended.State.ShouldBe(RunState.Succeeded, platform.Log);
        uploads.Count.ShouldBe(1, "the same text is uploaded once");
        again.Steps.Where(s => s.Kind != StageKinds.Register).ShouldAllBe(s => s.State == StepState.Cached);
        mixed.Steps.Count(s => s.Kind == StageKinds.Dataset).ShouldBe(1);
    }

    private static async Task<RunView> SubmitAsync(ComposedPlatform platform, CliProcess cli, string file)
    {
        var submitted = await cli.AskAsync("submit", file, "--json");
        return await platform.Runs.EndAsync(submitted.GetProperty("run").GetGuid(), TimeSpan.FromMinutes(5));
    }

    private string Write(string name, params string[] stages)
    {
        var path = Path.Combine(_mine.FullName, name);
        File.WriteAllText(path, $"name: {Path.GetFileNameWithoutExtension(name)}\nstages:\n{string.Concat(stages.Select(s => $"  {s}\n"))}");
        return path;
    }
}
