using Espalier.Contracts;
using Espalier.Gguf.Blocks;
using Espalier.Gguf.Files;
using Espalier.Tokenizers;

namespace Espalier.Gguf.Tests;

/// <summary>A trained mixture in every type: what llama.cpp then predicts, beside what we do.</summary>
public sealed class QualityTests(QualityTests.Trained trained) : IClassFixture<QualityTests.Trained>
{
    [Theory]
    [InlineData("f32", 1, 0.0001)]
    [InlineData("f16", 0.999, 0.005)]
    [InlineData("bf16", 0.99, 0.005)]
    [InlineData("q8_0", 0.98, 0.01)]
    [InlineData("q6_k", 0.97, 0.02)]
    [InlineData("q4_k", 0.9, 0.1)]
    [InlineData("q4_0", 0.9, 0.1)]
    public async Task Export_Type_PredictsAlmostTheSame(string type, double agreement, double perplexity)
    {
        using var llama = new LlamaCpp(await trained.Bench.ExportAsync(trained.Model, type), context: Trained.Length);

        var (same, sum) = (0, 0.0);
        for (var text = 0; text < trained.Texts.Count; text++)
        {
            var found = llama.Logits(trained.Texts[text]);
            same += found.Zip(trained.Logits[text]).Count(p => LlamaCpp.Largest(p.First) == LlamaCpp.Largest(p.Second));
            sum += LossOf(found, trained.Texts[text]);
        }

        var positions = trained.Texts.Sum(t => t.Length);
        ((double)same / positions).ShouldBeGreaterThanOrEqualTo(agreement);
        var ours = trained.Texts.Select((t, i) => LossOf(trained.Logits[i], t)).Sum();
        var scored = positions - trained.Texts.Count;
        Math.Exp((sum - ours) / scored).ShouldBe(1, perplexity);
        Math.Exp(ours / scored).ShouldBeLessThan(10, "it has learnt something that can be lost");
    }

    [Theory]
    [InlineData("f16", 1)]
    [InlineData("q8_0", 7)]
    [InlineData("q6_k", 18)]
    [InlineData("q4_k", 14)]
    public async Task Export_Type_IsStoredAsItSays(string type, int fileType)
    {
        using var file = GgufReader.Open(await trained.Bench.ExportAsync(trained.Model, type));

        file.Values["general.file_type"].ShouldBe((uint)fileType);
        file.Tensors["blk.0.ffn_up_exps.weight"].Type.Name.ShouldBe(type);
        file.Tensors["blk.0.ffn_gate_inp.weight"].Type.Name.ShouldBe("f32");
        file.Tensors["output.weight"].Type.Name.ShouldBe(type == "q4_k" ? "q6_k" : type);
        var expected = new float[BlockType.Of(type).BlockSize];
        BlockType.Of(type).DecodeAll(file.ReadBytes("blk.1.attn_v.weight").AsSpan(0, BlockType.Of(type).BlockBytes), expected);
        file.Read("blk.1.attn_v.weight").AsSpan(0, expected.Length).ToArray().ShouldBe(expected);
    }

    [Fact]
    public async Task Export_Text_IsGeneratedAsWeWould()
    {
        using var llama = new LlamaCpp(await trained.Bench.ExportAsync(trained.Model, "f16"));
        var prompt = llama.Tokenize("The gardener cuts");

        var generated = llama.Continue(prompt, 12);

        prompt.ShouldBe(trained.Tokenizer.Encode("The gardener cuts"));
        var text = trained.Tokenizer.Decode([.. generated]);
        new[] { "a branch", "the frame", "seven apples", "its roots" }.ShouldContain(what => text.StartsWith($" {what}"), text);
        var ours = prompt.ToList();
        while (ours.Count < prompt.Length + 12)
            ours.Add(LlamaCpp.Largest((await GgufBench.LogitsAsync(trained.Bench.Store, trained.Model, ours))[^1]));
        generated.ShouldBe(ours[prompt.Length..]);
    }

    private static double LossOf(float[][] logits, int[] tokens) => Enumerable.Range(0, tokens.Length - 1).Sum(i =>
    {
        var largest = logits[i].Max();
        return largest + Math.Log(logits[i].Sum(l => Math.Exp(l - largest))) - logits[i][tokens[i + 1]];
    });

    /// <summary>The model, texts that it has not seen, and our logits on them.</summary>
    public sealed class Trained : IAsyncLifetime
    {
        public const int Length = 256;

        internal GgufBench Bench { get; } = new();

        internal ManifestRef Model { get; private set; } = null!;

        internal ITokenizer Tokenizer { get; private set; } = null!;

        internal List<int[]> Texts { get; private set; } = [];

        internal List<float[][]> Logits { get; } = [];

        public async Task InitializeAsync()
        {
            (Model, Tokenizer) = await Bench.TrainAsync();
            var ids = Tokenizer.Encode(string.Join(' ', GgufBench.Sentences(400, seed: 9)));
            Texts = [.. ids.Chunk(Length).Where(t => t.Length == Length).Take(8)];
            foreach (var text in Texts)
                Logits.Add(await GgufBench.LogitsAsync(Bench.Store, Model, text));
        }

        public Task DisposeAsync()
        {
            Bench.Dispose();
            return Task.CompletedTask;
        }
    }
}
