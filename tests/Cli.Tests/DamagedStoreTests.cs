using System.Text.Json;

namespace Espalier.Cli.Tests;

/// <summary>A bit flips on the disk: nothing is made from it, verify and fsck say so, and doing the step again mends it.</summary>
public sealed class DamagedStoreTests : IDisposable
{
    private const string Pipeline = """
        name: grow
        stages:
          grown: { uses: upcycle, with: { from: "model:tiny", method: copy, multiplier: 2, router: { method: copy-noise }, seed: 5 } }
          release: { uses: register, needs: grown, with: { name: grown, alias: candidate } }
        """;

    private const string Quantizing = """
        name: small
        stages:
          small: { uses: quantize, with: { from: "model:tiny", method: rtn, bits: 4, group-size: 32 } }
        """;

    private readonly CliRun _cli = new();
    private readonly string _pipeline;

    public DamagedStoreTests() => _pipeline = _cli.Write("grow.yaml", Pipeline);

    public void Dispose() => _cli.Dispose();

    [Fact]
    public async Task Verify_FlippedBitInAnAncestor_IsReported()
    {
        await GrowAsync();
        (await _cli.CallAsync("verify", "grown@1", "--json")).ShouldBe(0, _cli.Error);
        _cli.Json.GetProperty("ancestors").GetArrayLength().ShouldBe(1);
        var (blob, parent) = await DamageTensorAsync("tiny@1");

        (await _cli.CallAsync("verify", "grown@1", "--json")).ShouldBe(ExitCodes.Failed);

        _cli.Json.GetProperty("ok").GetBoolean().ShouldBeFalse();
        var ancestor = _cli.Json.GetProperty("ancestors")[0];
        (ancestor.GetProperty("root").GetString(), ancestor.GetProperty("ok").GetBoolean(), ancestor.GetProperty("generation").GetInt32())
            .ShouldBe((parent, false, 1));
        ancestor.GetProperty("problem").GetString()!.ShouldContain(blob);
    }

    [Fact]
    public async Task Run_OnAFlippedBit_StopsWithBlobArtifactAndRemedy_AndRunsAfterImport()
    {
        var source = await GrowAsync();
        var (blob, root) = await DamageTensorAsync("tiny@1");

        var pipeline = _cli.Write("small.yaml", Quantizing);
        (await _cli.CallAsync("run", pipeline)).ShouldNotBe(0);
        foreach (var part in new[] { blob, root, "is damaged", "import the model again" })
            (_cli.Error + _cli.Output).ShouldContain(part);

        (await _cli.CallAsync("import", source, "--name", "tiny")).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync("run", pipeline)).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync("fsck")).ShouldBe(0, _cli.Output);
    }

    [Fact]
    public async Task Run_InputOfAStepDamaged_DoesThatStepAgainByItself()
    {
        await GrowAsync();
        var (blob, _) = await DamageTensorAsync("grown@1", ownOnly: true);
        var longer = _cli.Write("longer.yaml", Pipeline + "\n" + """
              small: { uses: quantize, needs: grown, with: { from: "${grown.model}", method: rtn, bits: 4, group-size: 32 } }
            """);

        (await _cli.CallAsync("run", longer, "--json")).ShouldBe(0, _cli.Error + _cli.Output);

        _cli.Error.ShouldContain("done again for step 'small'");
        foreach (var step in new[] { "grown", "small" }) // the first was found in the cache, and done again
            _cli.Json.GetProperty("steps").GetProperty(step).GetProperty("state").GetString().ShouldBe("succeeded", step);
        File.Exists(_cli.PathOf($"home/store/damaged/{blob}")).ShouldBeTrue();
        (await _cli.CallAsync("fsck")).ShouldBe(0, _cli.Output);
    }

    [Fact]
    public async Task Fsck_CleanStore_SaysSo()
    {
        await GrowAsync();

        (await _cli.CallAsync("fsck", "--json")).ShouldBe(0, _cli.Error);

        _cli.Json.GetProperty("ok").GetBoolean().ShouldBeTrue();
        _cli.Json.GetProperty("blobs").GetInt32().ShouldBeGreaterThan(5);
        _cli.Json.GetProperty("steps").GetInt32().ShouldBe(2);
        (await _cli.CallAsync("fsck")).ShouldBe(0, _cli.Error);
        _cli.Output.ShouldContain("clean");
    }

    [Fact]
    public async Task Fsck_FlippedBitInAStepsResult_NamesTheStep_AndTheNextRunMendsIt()
    {
        await GrowAsync();
        var (blob, _) = await DamageTensorAsync("grown@1", ownOnly: true);

        (await _cli.CallAsync("fsck", "--json")).ShouldBe(ExitCodes.Failed, _cli.Error);

        var fault = _cli.Json.GetProperty("faults").EnumerateArray().ShouldHaveSingleItem();
        (fault.GetProperty("blob").GetString(), fault.GetProperty("is-missing").GetBoolean()).ShouldBe((blob, false));
        _cli.Json.GetProperty("recompute").EnumerateArray().Select(s => s.GetProperty("step").GetString()).ShouldContain("grown");
        var model = _cli.Json.GetProperty("models").EnumerateArray().ShouldHaveSingleItem();
        (model.GetProperty("model").GetString(), model.GetProperty("concern").GetString()).ShouldBe(("grown", "damaged"));
        File.Exists(_cli.PathOf($"home/store/damaged/{blob}")).ShouldBeTrue();

        (await _cli.CallAsync("run", _pipeline)).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync("fsck", "--json")).ShouldBe(0, _cli.Output);
        (await _cli.CallAsync("verify", "grown@1")).ShouldBe(0, _cli.Output);
    }

    [Fact]
    public async Task Fsck_EmptyStepRecord_IsReported_AndTheNextRunMendsIt()
    {
        await GrowAsync();
        var record = Directory.EnumerateFiles(_cli.PathOf("home/store/records/steps")).First();
        File.WriteAllText(record, "");

        (await _cli.CallAsync("fsck", "--json")).ShouldBe(ExitCodes.Failed, _cli.Error);

        _cli.Json.GetProperty("records")[0].GetProperty("record").GetString().ShouldBe($"steps/{Path.GetFileName(record)}");
        (await _cli.CallAsync("run", _pipeline)).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync("fsck")).ShouldBe(0, _cli.Output);
    }

    [Fact]
    public async Task Fsck_NoHome_IsBadInput()
    {
        (await _cli.CallAsync("fsck")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("holds nothing yet");
    }

    [Fact]
    public async Task Fsck_PlatformThatDoesNotRun_SaysSo()
    {
        Directory.CreateDirectory(_cli.PathOf("home/platform"));

        (await _cli.CallAsync("fsck")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("espalier up first");
    }

    [Fact]
    public async Task Export_FlippedBit_WritesNothingAndNamesTheTensor()
    {
        await GrowAsync();
        var (blob, root) = await DamageTensorAsync("grown@1");

        (await _cli.CallAsync("export", "grown@1", _cli.PathOf("out"))).ShouldBe(ExitCodes.Failed);

        _cli.Error.ShouldContain(blob);
        _cli.Error.ShouldContain(root[..12]);
        Directory.Exists(_cli.PathOf("out")).ShouldBeFalse();
    }

    private async Task<string> GrowAsync()
    {
        var source = TinyModel.Write(_cli.PathOf("in"), hidden: 64, width: 64);
        (await _cli.CallAsync("import", source, "--name", "tiny")).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync("run", _pipeline)).ShouldBe(0, _cli.Error);
        return source;
    }

    /// <summary>Flips a bit of the largest tensor of a version, or of the largest that its parent does not have.</summary>
    private async Task<(string Blob, string Root)> DamageTensorAsync(string version, bool ownOnly = false)
    {
        (await _cli.CallAsync("models", "--json")).ShouldBe(0);
        var root = _cli.Json.GetProperty("models").EnumerateArray()
            .First(m => $"{m.GetProperty("model")}@{m.GetProperty("version")}" == version).GetProperty("root").GetString()!;
        var roots = _cli.Json.GetProperty("models").EnumerateArray().Select(m => m.GetProperty("root").GetString()!);
        var others = ownOnly ? roots.Where(r => r != root).SelectMany(BlobsOf).ToHashSet() : [];
        var blob = BlobsOf(root).Where(b => !others.Contains(b)).MaxBy(b => new FileInfo(PathOf(b)).Length)!;
        var bytes = File.ReadAllBytes(PathOf(blob));
        bytes[bytes.Length / 2] ^= 1;
        File.Delete(PathOf(blob));
        File.WriteAllBytes(PathOf(blob), bytes);
        return (blob, root);
    }

    private IEnumerable<string> BlobsOf(string root) =>
        JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(PathOf(root))).GetProperty("tensors").EnumerateArray()
            .Select(t => t.GetProperty("blob").GetString()!);

    private string PathOf(string blob) => _cli.PathOf($"home/store/blobs/{blob[..2]}/{blob[2..]}");
}
