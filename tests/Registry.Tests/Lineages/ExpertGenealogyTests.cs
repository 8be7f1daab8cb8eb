using Espalier.Artifacts.Manifests;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Registry.Tests.Support;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Registry.Tests.Lineages;

/// <summary>Single experts through copy, training, merge and pruning; and what an ancestry cost.</summary>
public sealed class ExpertGenealogyTests : IAsyncLifetime
{
    private static readonly Guid FirstRun = new("00000000-0000-7000-8000-000000000001"), SecondRun = new("00000000-0000-7000-8000-000000000002");
    private RegistryServer _server = null!;

    public async Task InitializeAsync() => _server = await RegistryServer.StartAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task Trace_ThroughCopyTrainMergePrune_FindsEveryAncestorWithItsTokens()
    {
        var store = _server.Store;
        var data = await store.PublishAsync(new Manifest { Kind = ArtifactKind.Dataset }, default);
        var trainKey = Digest.Of("train"u8);
        var first = await TinyCheckpoints.CreateAsync(store, new() { Experts = 2, Parents = [new Parent(data.Root, "data", trainKey)] });
        await CommitAsync(trainKey, first, FirstRun, "base", "train", 10, [[[100, 200], [300, 400]], [[1, 2], [3, 4]]]);
        var growKey = Digest.Of("grow"u8);
        var grown = await TinyCheckpoints.CreateAsync(store, new()
        {
            Experts = 4,
            Parents = [new Parent(first.Root, "upcycled", growKey)],
            Origin = (l, e) => new ExpertOrigin(l, e, first.Root, l, e / 2),
        });
        await CommitAsync(growKey, grown, SecondRun, "grown", "upcycle", 2);
        var cptKey = Digest.Of("cpt"u8);
        var trained = await TinyCheckpoints.CreateAsync(store, new()
        {
            Experts = 4,
            Seed = 2,
            Parents = [new Parent(grown.Root, "trained", cptKey), new Parent(data.Root, "data", cptKey)],
        });
        await CommitAsync(cptKey, trained, SecondRun, "cpt", "train", 20, [[[10, 20, 30, 40], [50, 60, 70, 80]]]);
        var pruneKey = Digest.Of("prune"u8);
        var slim = await MergedAsync(trained.Root, pruneKey);
        await CommitAsync(pruneKey, slim, SecondRun, "slim", "prune", 3);
        await _server.RegisterAsync(new Registration { Model = "slim", Checkpoint = slim, StepKey = slim.Root, RunId = SecondRun });
        using var http = _server.Client(RegistryServer.Viewer);

        var genealogy = await http.GetJsonAsync("/api/v1/models/slim/versions/1/genealogy?layer=1&expert=0");
        var ancestors = genealogy.GetProperty("ancestors").EnumerateArray().ToList();
        var bill = (await http.GetJsonAsync("/api/v1/models/slim/versions/1/lineage")).GetProperty("bill");

        ancestors.Select(a => (a.GetProperty("step").GetString(), Numbers(a.GetProperty("experts")), a.GetProperty("tokens").GetInt64()))
            .ShouldBe([("slim", "0", 0), ("cpt", "1,3", 140), ("grown", "1,3", 0), ("base", "0,1", 707)]);
        ancestors[0].GetProperty("model").GetString().ShouldBe("slim");
        bill.GetProperty("seconds").GetDouble().ShouldBe(35);
        bill.GetProperty("saved-seconds").GetDouble().ShouldBe(10);
    }

    [Fact]
    public async Task Trace_UnknownExpert_IsRefused()
    {
        var root = await TinyCheckpoints.CreateAsync(_server.Store);
        await _server.RegisterAsync("demo", root);
        using var http = _server.Client();

        var (status, body) = await http.SendJsonAsync(HttpMethod.Get, "/api/v1/models/demo/versions/1/genealogy?layer=0&expert=99");

        status.ShouldBe(System.Net.HttpStatusCode.UnprocessableEntity);
        body.GetProperty("detail").GetString()!.ShouldContain("no expert 99 in layer 0");
    }

    // Expert 0 of the result is experts 1 and 3 in one; the others are gone but expert 2.
    private Task<ManifestRef> MergedAsync(Digest parent, Digest key)
    {
        return WithOriginsAsync();

        async Task<ManifestRef> WithOriginsAsync()
        {
            var plain = await TinyCheckpoints.CreateAsync(_server.Store, new() { Experts = 2, Seed = 3, Parents = [new Parent(parent, "merged", key)] });
            var manifest = await _server.Store.ReadAsync(plain.Root, default);
            var origins =
                from layer in new[] { 0, 1 }
                from o in new[] { (0, 1), (0, 3), (1, 2) }
                select new ExpertOrigin(layer, o.Item1, parent, layer, o.Item2);
            return await _server.Store.PublishAsync(manifest with { Experts = [.. origins] }, default);
        }
    }

    private async Task CommitAsync(Digest key, ManifestRef model, Guid run, string step, string kind, double seconds, long[][][]? load = null)
    {
        var outputs = new Dictionary<string, ManifestRef> { [OutputNames.Model] = model };
        if (load is not null)
        {
            var report = CanonicalJson.Serialize(new { load = load.Select((layers, i) => new { step = i, layers }) });
            var blob = await _server.Store.Blobs.PutAsync(report, default);
            var files = new[] { new FileEntry("report.json", blob.Digest, blob.SizeBytes) };
            outputs[OutputNames.Report] = await _server.Store.PublishAsync(new Manifest { Kind = ArtifactKind.Report, Files = files }, default);
        }
        await _server.Store.CommitStepAsync(key, new StepCommit { Outputs = outputs, Metrics = new Dictionary<string, double>() }, default);
        await new Stages.Worker.StepReceipt
        {
            RunId = run,
            Step = step,
            Kind = kind,
            Attempt = 1,
            Worker = "w",
            Host = "h",
            Started = DateTimeOffset.UnixEpoch,
            Duration = TimeSpan.FromSeconds(seconds),
            PeakMemoryBytes = 0,
            Metrics = new Dictionary<string, double>(),
        }.WriteAsync(_server.Store, key, default);
    }

    private static string Numbers(System.Text.Json.JsonElement list) => string.Join(',', list.EnumerateArray().Select(e => e.GetInt32()));
}
