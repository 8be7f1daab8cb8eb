using System.Text.Json;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Registry.Tests.Support;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Registry.Tests.Comparisons;

/// <summary>A version's own numbers beside those of what it was made from and of the control.</summary>
public sealed class VersionStandingTests : IAsyncLifetime
{
    private RegistryServer _server = null!;
    private HttpClient _http = null!;
    private ManifestRef _base = null!, _control = null!, _grown = null!, _trained = null!;

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync();
        _http = _server.Client();
        _base = await MakeAsync(1);
        _control = await MakeAsync(2, _base);
        _grown = await MakeAsync(3, _base);
        _trained = await MakeAsync(4, _grown);
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Standing_OfAMeasuredVersion_HasParentAndControlWithPairedDifferences()
    {
        await _server.RegisterAsync("demo", _base);
        var report = await ReportAsync("continued");
        await _server.RegisterAsync(new Registration { Model = "demo", Checkpoint = _trained, StepKey = _trained.Root, Reports = [report.Root] });

        var standing = await _http.GetJsonAsync("/api/v1/models/demo/versions/2/standing");

        standing.GetProperty("documents").GetInt32().ShouldBe(50);
        var rows = standing.GetProperty("rows").EnumerateArray().ToList();
        rows.Select(r => (r.GetProperty("role").GetString(), r.GetProperty("step").GetString()))
            .ShouldBe([("own", "cpt"), ("parent", "base"), ("control", "continued")]);
        // The grown model in between was not measured: the nearest that was is the base, which is registered.
        (rows[1].GetProperty("model").GetString(), rows[1].GetProperty("version").GetInt32()).ShouldBe(("demo", 1));
        rows[2].TryGetProperty("model", out _).ShouldBeFalse();
        rows[0].GetProperty("loss").GetProperty("low").GetDouble().ShouldBe(2.9);
        rows[0].TryGetProperty("difference", out _).ShouldBeFalse();
        var (parent, control) = (rows[1].GetProperty("difference"), rows[2].GetProperty("difference"));
        (parent.GetProperty("value").GetDouble(), parent.GetProperty("low").GetDouble(), parent.GetProperty("high").GetDouble()).ShouldBe((-0.5, -0.6, -0.4));
        control.GetProperty("value").GetDouble().ShouldBe(-0.02, "the report has it the other way round");
        control.GetProperty("high").GetDouble().ShouldBe(-0.01);
    }

    [Fact]
    public async Task Standing_WhereTheParentIsTheBaseline_NamesItOnce()
    {
        var report = await ReportAsync("base");
        await _server.RegisterAsync(new Registration { Model = "demo", Checkpoint = _trained, StepKey = _trained.Root, Reports = [report.Root] });

        var standing = await _http.GetJsonAsync("/api/v1/models/demo/versions/1/standing");

        standing.GetProperty("rows").EnumerateArray().Select(r => r.GetProperty("role").GetString()).ShouldBe(["own", "parent"]);
    }

    [Fact]
    public async Task Standing_WithoutAReport_TellsWhatIsRegistered()
    {
        await _server.RegisterAsync(
            new Registration { Model = "demo", Checkpoint = _base, StepKey = _base.Root, Metrics = new Dictionary<string, double> { ["loss"] = 3.5 } });
        await _server.RegisterAsync("demo", _trained);

        var standing = await _http.GetJsonAsync("/api/v1/models/demo/versions/2/standing");

        var rows = standing.GetProperty("rows").EnumerateArray().ToList();
        rows.Select(r => r.GetProperty("role").GetString()).ShouldBe(["own", "parent"]);
        rows[1].GetProperty("loss").GetProperty("value").GetDouble().ShouldBe(3.5);
        rows[0].TryGetProperty("loss", out _).ShouldBeFalse();
    }

    private Task<ManifestRef> MakeAsync(int seed, ManifestRef? parent = null) => TinyCheckpoints.CreateAsync(_server.Store, new TinyCheckpoints.Plan
    {
        Seed = seed,
        Parents = parent is { } from ? [new Parent(from.Root, "trained", Digest.Of([(byte)seed]))] : [],
    });

    private async Task<ManifestRef> ReportAsync(string baseline)
    {
        static object Interval(double value, double low, double high) => new { value, low, high };
        object Model(string step, ManifestRef model, double loss) => new Dictionary<string, object>
        {
            ["step"] = step, ["root"] = model.Root.Hex, ["total-parameters"] = 1000, ["active-parameters"] = 500, ["bytes"] = 4000,
            ["validation-loss"] = new { loss = Interval(loss, loss - 0.1, loss + 0.1) },
        };
        object Pair(string first, string second, object difference) =>
            new Dictionary<string, object> { ["first"] = first, ["second"] = second, ["loss"] = new { difference } };
        var bytes = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, object>
        {
            ["kind"] = "evaluation",
            ["protocol"] = new { documents = 50, baseline },
            ["models"] = new[] { Model("base", _base, 3.5), Model("continued", _control, 3.02), Model("cpt", _trained, 3.0) },
            ["comparisons"] = new[] { Pair("cpt", "base", Interval(-0.5, -0.6, -0.4)), Pair("continued", "cpt", Interval(0.02, 0.01, 0.03)) },
        });
        var blob = await _server.Store.Blobs.PutAsync(bytes, default);
        return await _server.Store.PublishAsync(
            new Manifest { Kind = ArtifactKind.Report, Files = [new FileEntry("report.json", blob.Digest, blob.SizeBytes)] }, default);
    }
}
