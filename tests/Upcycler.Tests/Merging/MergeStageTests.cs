using System.Text.Json.Nodes;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.TestKit.Models;
using Espalier.Upcycler.Merging;

namespace Espalier.Upcycler.Tests.Merging;

/// <summary>The stage: identities bit for bit, what it keeps without reading, order of experts, and what it refuses.</summary>
public sealed class MergeStageTests : IAsyncLifetime
{
    private const string Gate = "model.layers.1.mlp.experts.2.gate_proj.weight";
    private TinyCheckpoint _tiny = null!;

    public async Task InitializeAsync() => _tiny = await TinyCheckpoint.CreateAsync(dtype: "BF16");

    public Task DisposeAsync()
    {
        _tiny.Dispose();
        return Task.CompletedTask;
    }

    [Theory]
    [InlineData("""{"method":"average"}""", 1)]
    [InlineData("""{"method":"average","weights":[0,1]}""", 2)]
    [InlineData("""{"method":"slerp","weights":[0,1]}""", 2)]
    [InlineData("""{"method":"task-arithmetic","base":"base"}""", 1)]
    [InlineData("""{"method":"dare","density":1,"base":"base"}""", 1)]
    public async Task Run_Identity_IsTheModelBitForBitAndReadsNothing(string options, int models)
    {
        var (first, second) = (await AddAsync(0.01f), await AddAsync(0.02f));
        var inputs = models == 1 ? [("b", second)] : new[] { ("a", first), ("b", second) };

        var result = await RunAsync(options, options.Contains("base") ? _tiny.Model : null, inputs);

        result.Metrics["bytes-read"].ShouldBe(0);
        (await TensorsAsync(result.Outputs[OutputNames.Model])).ShouldBe(await TensorsAsync(second));
    }

    [Fact]
    public async Task Run_NothingChanged_KeepsTheBase()
    {
        var result = await RunAsync("""{"method":"ties","base":"base"}""", _tiny.Model, ("a", _tiny.Model), ("b", _tiny.Model));

        (await TensorsAsync(result.Outputs[OutputNames.Model])).ShouldBe(await TensorsAsync(_tiny.Model));
        result.Metrics["tensors-merged"].ShouldBe(0);
    }

    [Fact]
    public async Task Run_Average_IsTheMeanOfEachNumberAndKeepsWhatIsEqual()
    {
        var changed = await AddAsync(0.5f, only: Gate);

        var result = await RunAsync("""{"method":"average","weights":[1,3]}""", null, ("a", _tiny.Model), ("b", changed));

        result.Metrics["tensors-merged"].ShouldBe(1);
        var expected = (await FloatsAsync(_tiny.Model, Gate)).Zip(await FloatsAsync(changed, Gate), (a, b) => (a + 3.0 * b) / 4).ToArray();
        var found = await FloatsAsync(result.Outputs[OutputNames.Model], Gate);
        found.Zip(expected).ShouldAllBe(p => Math.Abs(p.First - p.Second) <= Math.Abs(p.Second) / 256 + 1e-9, "rounded to bfloat16 once");
        var manifest = await _tiny.Store.ReadAsync(result.Outputs[OutputNames.Model].Root, default);
        manifest.Parents.Select(p => (p.Manifest, p.Relation)).ShouldBe([(_tiny.Model.Root, "merged"), (changed.Root, "merged")], ignoreOrder: true);
        manifest.Tensors.Single(t => t.Name == Gate).DType.ShouldBe("BF16");
        var report = await CheckpointReader.OpenAsync(_tiny.Store, result.Outputs[OutputNames.Report], default);
        JsonNode.Parse(report.ReadFile("report.json"))!["models"]!.AsArray().Count.ShouldBe(2);
    }

    // The same model with its experts in another order: by number they are strangers, paired they are the same.
    [Fact]
    public async Task Run_ExpertsInAnotherOrder_AreRefusedOrPaired()
    {
        var turned = await ReorderedAsync([2, 0, 3, 1]);

        var refusal = await Should.ThrowAsync<UserInputException>(() => RunAsync("""{"method":"average"}""", null, ("a", _tiny.Model), ("b", turned)));
        var result = await RunAsync("""{"method":"average","match-experts":true}""", null, ("a", _tiny.Model), ("b", turned));

        refusal.Message.ShouldContain("match-experts: true");
        result.Metrics["experts-reordered"].ShouldBe(8);
        foreach (var name in new[] { Gate, TensorNames.Router(0), TensorNames.Expert(0, 3, "down") })
            (await FloatsAsync(result.Outputs[OutputNames.Model], name)).ShouldBe(await FloatsAsync(_tiny.Model, name), name);
    }

    [Theory]
    [InlineData("""{"method":"ties"}""", false, "base: ties adds up what models have changed")]
    [InlineData("""{"method":"average"}""", true, "base: average has no use for it")]
    [InlineData("""{"method":"average","weights":[1]}""", false, "weights: 1 numbers for 2 models")]
    [InlineData("""{"method":"average","weights":[1,-1]}""", false, "no numbers below 0")]
    [InlineData("""{"method":"average","density":0.5}""", false, "density: only ties and dare")]
    public async Task Run_OptionsThatDoNotFit_AreRefused(string options, bool hasBase, string message)
    {
        var refusal = await Should.ThrowAsync<UserInputException>(
            () => RunAsync(options, hasBase ? _tiny.Model : null, ("a", _tiny.Model), ("b", _tiny.Model)));

        refusal.Message.ShouldContain(message);
    }

    [Fact]
    public async Task Run_ThreeModelsForSlerp_IsRefused() => (await Should.ThrowAsync<UserInputException>(
        () => RunAsync("""{"method":"slerp"}""", null, ("a", _tiny.Model), ("b", _tiny.Model), ("c", _tiny.Model)))).Message.ShouldContain("takes 2 models");

    [Fact]
    public async Task Run_OtherShape_IsRefusedByName()
    {
        using var other = await TinyCheckpoint.CreateAsync(_tiny.Config with { Experts = 8, VocabularySize = 300 });
        foreach (var blob in (await other.Store.ReadAsync(other.Model.Root, default)).Tensors.Select(t => t.Blob).Distinct())
            await CopyAsync(other, blob);
        foreach (var file in (await other.Store.ReadAsync(other.Model.Root, default)).Files)
            await CopyAsync(other, file.Blob);
        await CopyAsync(other, other.Model.Root);

        var refusal = await Should.ThrowAsync<UserInputException>(() => RunAsync("""{"method":"average"}""", null, ("a", _tiny.Model), ("wide", other.Model)));

        refusal.Message.ShouldContain("'wide' has another vocabulary (vocab_size) than 'a': 300, not 258");
        refusal.Message.ShouldContain("'wide' has another experts than 'a': 8, not 4");
    }

    [Fact]
    public async Task Run_OtherTokenizer_IsRefused()
    {
        var manifest = await _tiny.Store.ReadAsync(_tiny.Model.Root, default);
        using var writer = new CheckpointWriter(_tiny.Store);
        foreach (var tensor in manifest.Tensors)
            writer.AddExisting(tensor);
        var tokenizer = Tokenizers.ByteLevelBpe.Train(["one two three four one two"], 258);
        foreach (var (path, bytes) in tokenizer.Files)
            await writer.AddFileAsync(path, bytes, default);
        writer.AddExisting(manifest.Files.Single(f => f.Path == "config.json"));
        var other = await writer.CommitAsync(default);

        (await Should.ThrowAsync<UserInputException>(() => RunAsync("""{"method":"average"}""", null, ("a", _tiny.Model), ("b", other))))
            .Message.ShouldContain("another tokenizer");
    }

    private Task<ManifestRef> AddAsync(float shift, string? only = null) => ChangedAsync(
        (name, values) => only is null || name == only ? [.. values.Select((v, i) => v + shift * ((i % 5) - 2) * Math.Abs(v))] : null);

    private Task<ManifestRef> ReorderedAsync(int[] order) => RenamedAsync(name =>
    {
        foreach (var layer in new[] { 0, 1 })
            foreach (var (from, to) in order.Select((from, to) => (from, to)))
                foreach (var projection in new[] { "gate", "up", "down" })
                    if (name == TensorNames.Expert(layer, to, projection))
                        return TensorNames.Expert(layer, from, projection);
        return name;
    }, (name, values) => name is not null && name.EndsWith("mlp.gate.weight", StringComparison.Ordinal)
        ? [.. order.SelectMany(from => values.Skip(from * values.Length / order.Length).Take(values.Length / order.Length))] : null);

    private Task<ManifestRef> ChangedAsync(Func<string, float[], float[]?> change) => RenamedAsync(name => name, change);

    // A model whose tensor NAME is SOURCE(NAME) of the first, changed.
    private async Task<ManifestRef> RenamedAsync(Func<string, string> source, Func<string, float[], float[]?> change)
    {
        var reader = await CheckpointReader.OpenAsync(_tiny.Store, _tiny.Model, default);
        using var writer = new CheckpointWriter(_tiny.Store);
        foreach (var file in reader.Manifest.Files)
            writer.AddExisting(file);
        foreach (var name in reader.Names)
        {
            var (header, values) = (reader.Describe(name), await FloatsAsync(_tiny.Model, source(name)));
            await writer.AddTensorAsync(name, header.DType, header.Shape, FloatBytes.FromFloats(header.DType, change(name, values) ?? values), default);
        }
        return await writer.CommitAsync(default);
    }

    private async Task CopyAsync(TinyCheckpoint from, Digest blob)
    {
        await using var content = await from.Store.Blobs.OpenReadAsync(blob, 0, null, default);
        using var bytes = new MemoryStream();
        await content.CopyToAsync(bytes);
        await _tiny.Store.Blobs.PutAsync(bytes.ToArray(), default);
    }

    private Task<StageResult> RunAsync(string options, ManifestRef? source, params (string Step, ManifestRef Model)[] models)
    {
        _tiny.Inputs.Clear();
        foreach (var (step, model) in models)
            _tiny.Inputs.Add(new StepInput(step, OutputNames.Model, model));
        if (source is not null)
            _tiny.Inputs.Add(new StepInput("base", "base", source));
        return new MergeStage().RunAsync(_tiny.Context(options), default);
    }

    private async Task<Dictionary<string, string>> TensorsAsync(ManifestRef model)
    {
        var reader = await CheckpointReader.OpenAsync(_tiny.Store, model, default);
        return reader.Names.ToDictionary(name => name, name => Convert.ToHexString(Bytes(reader, name)));
    }

    private async Task<float[]> FloatsAsync(ManifestRef model, string name)
    {
        var reader = await CheckpointReader.OpenAsync(_tiny.Store, model, default);
        return FloatBytes.ToFloats(reader.Describe(name).DType, Bytes(reader, name));
    }

    private static byte[] Bytes(CheckpointReader reader, string name)
    {
        var bytes = new byte[reader.Describe(name).SizeBytes];
        reader.Read(name, bytes);
        return bytes;
    }
}
