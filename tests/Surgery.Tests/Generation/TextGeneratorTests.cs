using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Surgery.Generation;
using Espalier.Tokenizers;
using static TorchSharp.torch;

namespace Espalier.Surgery.Tests.Generation;

/// <summary>Generated text: greedy as by hand, drawn by the seed, ended where it was asked to end.</summary>
public sealed class TextGeneratorTests : IDisposable
{
    private static readonly ByteLevelBpe Tokenizer = ByteLevelBpe.OfBytes();
    private readonly MoeDecoder _decoder = MoeDecoder.Create(
        ModelConfig.Tiny() with { InitializerRange = 0.3, MaxPositions = 64 }, 3, CPU);
    private readonly TextGenerator _generator;

    public TextGeneratorTests() => _generator = new TextGenerator(_decoder, Tokenizer);

    public void Dispose() => _decoder.Dispose();

    [Fact]
    public void Generate_Greedy_TakesTheLikeliestTokenEveryTime()
    {
        var generated = _generator.Generate(["an apple"], new Sampling { MaxTokens = 10 }).Single();

        var ids = Tokenizer.Encode("an apple").Select(id => (long)id).ToList();
        foreach (var token in generated.Tokens)
        {
            using var scope = NewDisposeScope();
            _decoder.Forward(tensor(ids.ToArray()).unsqueeze(0)).Logits[0, -1].argmax().item<long>().ShouldBe(token);
            ids.Add(token);
        }
        generated.Tokens.Count.ShouldBe(10);
        (generated.Text, generated.Finish).ShouldBe((Tokenizer.Decode([.. generated.Tokens]), FinishReason.Length));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.9)]
    public void Generate_SeveralPrompts_GivesEachWhatItGetsAlone(double temperature)
    {
        var sampling = new Sampling { MaxTokens = 8, Temperature = temperature, Seed = 5 };

        var together = _generator.Generate(["a much longer prompt", "short"], sampling);

        together[0].Tokens.ShouldBe(_generator.Generate(["a much longer prompt"], sampling).Single().Tokens);
        together[1].Tokens.ShouldBe(_generator.Generate(["other", "short"], sampling)[1].Tokens);
    }

    [Fact]
    public void Generate_Drawn_FollowsTheSeedAndTheProbabilities()
    {
        var sampling = new Sampling { MaxTokens = 1, Temperature = 1 };
        using var scope = NewDisposeScope();
        var prompt = Tokenizer.Encode("tree").Select(id => (long)id).ToArray();
        var probabilities = _decoder.Forward(tensor(prompt).unsqueeze(0)).Logits[0, -1].softmax(-1).data<float>().ToArray();

        var drawn = Enumerable.Range(0, 2000).Select(seed => TokenOf(sampling with { Seed = seed })).ToList();

        TokenOf(sampling with { Seed = 11 }).ShouldBe(drawn[11]);
        // Chi-squared over tokens that are expected at least ten times, the others as one class; five standard deviations.
        var classes = drawn.Select(id => probabilities[id] * drawn.Count >= 10 ? id : -1).CountBy(id => id).ToDictionary();
        var expected = Enumerable.Range(0, probabilities.Length).GroupBy(id => probabilities[id] * drawn.Count >= 10 ? id : -1)
            .ToDictionary(g => g.Key, g => g.Sum(id => (double)probabilities[id]) * drawn.Count);
        var statistic = expected.Sum(e => Math.Pow(classes.GetValueOrDefault(e.Key) - e.Value, 2) / e.Value);
        statistic.ShouldBeLessThan(expected.Count - 1 + 5 * Math.Sqrt(2 * (expected.Count - 1)));
        expected.Count.ShouldBeGreaterThan(5);
    }

    [Fact]
    public void Generate_TopP_DrawsAmongTheLikeliestAlone()
    {
        using var scope = NewDisposeScope();
        var prompt = Tokenizer.Encode("tree").Select(id => (long)id).ToArray();
        var (sorted, ids) = _decoder.Forward(tensor(prompt).unsqueeze(0)).Logits[0, -1].softmax(-1).sort(descending: true);
        var topTwo = sorted[0].item<float>() + sorted[1].item<float>() * 0.5; // the second one crosses it

        var drawn = Enumerable.Range(0, 200).Select(seed => TokenOf(new Sampling { MaxTokens = 1, Temperature = 1, TopP = topTwo, Seed = seed })).ToHashSet();

        drawn.ShouldBe([(int)ids[0].item<long>(), (int)ids[1].item<long>()], ignoreOrder: true);
    }

    [Fact]
    public void Generate_StopText_EndsBeforeIt()
    {
        var whole = _generator.Generate(["an apple"], new Sampling { MaxTokens = 12, Temperature = 1, Seed = 2 }).Single();
        var stop = whole.Text[4..6];

        var stopped = _generator.Generate(["an apple"], new Sampling { MaxTokens = 12, Temperature = 1, Seed = 2, Stop = ["never there", stop] }).Single();

        stopped.Finish.ShouldBe(FinishReason.Stop);
        stopped.Text.ShouldBe(whole.Text[..whole.Text.IndexOf(stop, StringComparison.Ordinal)]);
    }

    [Fact]
    public void Generate_BeyondWhatTheModelSees_EndsOrIsRefused()
    {
        _generator.Generate([new string('a', 60)], new Sampling { MaxTokens = 100 }).Single().Tokens.Count.ShouldBe(4);

        Should.Throw<UserInputException>(() => _generator.Generate([new string('a', 64)], new Sampling())).Message.ShouldContain("64 tokens");
    }

    [Fact]
    public void Generate_NumbersOutOfRange_AreAllNamed()
    {
        var sampling = new Sampling { MaxTokens = 0, Temperature = -1, TopP = 0, Stop = [""] };

        Should.Throw<UserInputException>(() => _generator.Generate(["a"], sampling)).Problems.Select(p => p.Place)
            .ShouldBe(["max-tokens", "temperature", "top-p", "stop"]);
    }

    [Fact]
    public void Generate_Progress_GrowsToTheText()
    {
        var seen = new List<string>();

        var generated = _generator.Generate(["an apple"], new Sampling { MaxTokens = 10, Temperature = 1, Seed = 4 }, seen.Add).Single();

        seen[^1].TrimEnd('\uFFFD').ShouldBe(generated.Text.TrimEnd('\uFFFD'));
        seen.Count.ShouldBeGreaterThan(1);
    }

    private int TokenOf(Sampling sampling)
    {
        var drawn = _generator.Generate(["tree"], sampling).Single();
        return drawn.Tokens.Count > 0 ? drawn.Tokens[0] : Tokenizer.EndTokenId;
    }
}
