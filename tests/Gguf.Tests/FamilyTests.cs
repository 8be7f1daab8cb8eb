using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Gguf.Files;
using Espalier.Modeling;
using Espalier.TestKit.Families;
using Espalier.TestKit.Models;

namespace Espalier.Gguf.Tests;

/// <summary>Every family through llama.cpp: the same logits, or a refusal that says what it would compute otherwise.</summary>
public sealed class FamilyTests : IDisposable
{
    private static readonly Dictionary<string, string> Refused = new()
    {
        ["llama-dynamic-rope"] = "rope_scaling: dynamic",
        ["olmoe-clip"] = "clip_qkv",
        ["qwen2-moe-sparse-step"] = "mlp_only_layers",
        ["deepseek-normalized"] = "norm_topk_prob",
        ["deepseek-v2-groups"] = "n_group",
        ["deepseek-v2-lite"] = "q_lora_rank",
        ["deepseek-v3"] = "attention_bias",
        ["olmoe"] = "num_key_value_heads",
        ["qwen3-moe"] = "mlp_only_layers",
        ["qwen3-moe-yarn"] = "norm_topk_prob",
    };

    private readonly GgufBench _bench = new();

    public static TheoryData<string> Loaded { get; } = [.. FamilyModel.Cases.Where(c => !Refused.ContainsKey(c))];

    public static TheoryData<string> NotLoaded { get; } = [.. Refused.Keys];

    public void Dispose() => _bench.Dispose();

    [Theory]
    [MemberData(nameof(Loaded))]
    public async Task Export_Family_HasTheSameLogitsInLlamaCpp(string family)
    {
        var model = await _bench.ImportAsync(family);
        // Beyond a window llama.cpp sees what the model does not.
        await CompareAsync(model, family switch { "mistral-window" => 3, "qwen2-window" => 2, _ => 24 });
        _bench.Notes.Exists(note => note.Contains("attention window", StringComparison.Ordinal)).ShouldBe(family.EndsWith("window", StringComparison.Ordinal));
    }

    // What published models of these families say, where the families' own test models say something that llama.cpp lacks.
    [Theory]
    [InlineData("qwen3-moe-yarn", """{"norm_topk_prob":true}""")]
    [InlineData(
        "deepseek-v2-groups",
        """{"topk_method":"greedy","rope_scaling":{"type":"yarn","factor":40,"mscale":0.707,"mscale_all_dim":0.707,"original_max_position_embeddings":64}}""")]
    [InlineData("deepseek-v2-groups", """{"topk_method":"greedy","rope_scaling":null}""")]
    [InlineData("deepseek-v3-plain-rope", """{"rope_interleave":true,"norm_topk_prob":true}""")]
    [InlineData("deepseek-v3-plain-rope", """{"n_group":4,"topk_group":2,"norm_topk_prob":true}""")]
    [InlineData(
        "deepseek-v3-plain-rope",
        """{"rope_scaling":{"type":"yarn","factor":40,"mscale":1.0,"mscale_all_dim":1.0,"original_max_position_embeddings":64}}""")]
    public async Task Export_AsPublished_HasTheSameLogitsInLlamaCpp(string family, string changes) => await CompareAsync(
        await _bench.ImportAsync(family, change: config =>
        {
            foreach (var (key, value) in JsonNode.Parse(changes)!.AsObject())
                config[key] = value?.DeepClone();
        }), 24);

    [Theory]
    [InlineData(2, 4)]
    [InlineData(1, 8)]
    public async Task Export_OlmoeAsPublished_HasTheSameLogitsInLlamaCpp(int perToken, int experts)
    {
        using var tiny = await TinyCheckpoint.CreateAsync(ModelConfig.Tiny() with { ExpertsPerToken = perToken, Experts = experts });

        await CompareAsync(tiny.Store, tiny.Model, 24);
    }

    [Theory]
    [MemberData(nameof(NotLoaded))]
    public async Task Export_WhatLlamaCppComputesOtherwise_IsRefused(string family)
    {
        var model = await _bench.ImportAsync(family);

        var refusal = await Should.ThrowAsync<UserInputException>(() => _bench.ExportAsync(model, "f32"));

        refusal.Message.ShouldContain(Refused[family]);
        Directory.EnumerateFileSystemEntries(_bench.PathOf("."), "*partial*").ShouldBeEmpty();
    }

    private Task CompareAsync(ManifestRef model, int length) => CompareAsync(_bench.Store, model, length);

    private async Task CompareAsync(ArtifactStore store, ManifestRef model, int length)
    {
        var tokens = Enumerable.Range(0, length).Select(i => (i * 37 + 11) % 256).ToList();
        var expected = await GgufBench.LogitsAsync(store, model, tokens);

        using var llama = new LlamaCpp(await _bench.ExportAsync(store, model, "f32"));
        var found = llama.Logits(tokens);

        var scale = expected.SelectMany(logits => logits).Max(Math.Abs);
        (expected.Zip(found).Max(p => p.First.Zip(p.Second).Max(l => Math.Abs(l.First - l.Second))) / scale).ShouldBeLessThan(1e-5f);
    }

    [Fact]
    public async Task Export_QuantizedWidthThatNothingDivides_NamesTheNearest()
    {
        var model = await _bench.ImportAsync("mixtral");

        var refusal = await Should.ThrowAsync<UserInputException>(() => _bench.ExportAsync(model, "q4_0"));

        refusal.Message.ShouldContain("blocks of 32 do not divide");
        refusal.Message.ShouldContain("32");
    }

    [Fact]
    public async Task Export_Tensors_LieAsTheirHeaderSays()
    {
        var model = await _bench.ImportAsync("mixtral");

        using var file = GgufReader.Open(await _bench.ExportAsync(model, "f32"));

        file.Values["general.architecture"].ShouldBe("llama");
        var reader = await CheckpointReader.OpenAsync(_bench.Store, model, default);
        var experts = file.Tensors["blk.0.ffn_down_exps.weight"];
        var expected = Enumerable.Range(0, (int)experts.Shape[0])
            .SelectMany(e => MemoryMarshal.Cast<byte, float>(
                reader.ReadAll(TensorNames.Expert(0, e, "down")).AsSpan()).ToArray());
        file.Read("blk.0.ffn_down_exps.weight").ShouldBe(expected);
    }
}
