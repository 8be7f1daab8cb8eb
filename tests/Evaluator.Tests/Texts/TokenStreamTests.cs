using Espalier.Evaluator.Texts;
using Espalier.Tokenizers;

namespace Espalier.Evaluator.Tests.Texts;

public sealed class TokenStreamTests
{
    private static readonly ByteTokenizer Bytes = new(258);

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(100)]
    public void Windows_AnyLength_ScoreEveryTokenOnceAfterThePreviousOne(int length)
    {
        var stream = TokenStream.Of(0, [(0, "abcdefgh"), (1, "xy")], Bytes);
        var inputs = new List<long>();
        var targets = new List<long>();
        foreach (var window in stream.Windows(length))
        {
            var ids = new long[window.Count];
            window.CopyInputs(ids);
            inputs.AddRange(ids);
            targets.AddRange(window.Targets.ToArray());
        }

        targets.ShouldBe(stream.Tokens);
        inputs.ShouldBe([256, .. stream.Tokens[..^1]]);
    }

    [Fact]
    public void Of_Documents_EachOwnItsEndToken()
    {
        var stream = TokenStream.Of(0, [(4, "ab"), (9, "c")], Bytes);

        stream.Tokens.ShouldBe([97, 98, 256, 99, 256]);
        stream.Documents.ShouldBe([4, 4, 4, 9, 9]);
    }

    [Fact]
    public void Of_TokenizerThatBegins_PutsTheTokenBeforeEachDocumentAndScoresNone()
    {
        var stream = TokenStream.Of(0, [(4, "ab"), (9, "c")], new Begins());

        stream.First.ShouldBe(257);
        stream.Tokens.ShouldBe([97, 98, 256, 257, 99, 256]);
        stream.Documents.ShouldBe([4, 4, 4, TokenStream.NotScored, 9, 9]);
        stream.Scored.ShouldBe(5);
        WindowBatch.Of([stream], 4, 1).Select(batch => (batch.Tokens, batch.Scored)).ShouldBe([(4, 3), (2, 2)]);
    }

    [Theory]
    [InlineData(3000)]
    [InlineData(2999)]
    [InlineData(7)]
    [InlineData(2)]
    public void Take_AnyLimitOfTokens_IsNeverExceeded(int limit)
    {
        var learnt = ByteLevelBpe.Train(["the house of the theory, thence the other; \U0001F916\U0001F916 and then some"], 300);
        var text = new HeldOutText(["a"], [.. Enumerable.Range(0, 9).Select(i =>
            new HeldOutDocument(0, $"{i}", string.Concat(Enumerable.Repeat("thence the other \U0001F916 house ", 40 + i))))]);

        var scored = text.Take(null, limit, learnt).Tokenize(learnt).Sum(stream => stream.Scored);

        scored.ShouldBeInRange(Math.Max(1, limit - 5), limit);
    }

    [Fact]
    public void Batches_SeveralDomains_HoldEveryWindowOnceAndOneLengthEach()
    {
        TokenStream[] streams = [TokenStream.Of(0, [(0, new string('a', 50))], Bytes), TokenStream.Of(1, [(1, new string('b', 33))], Bytes)];

        var batches = WindowBatch.Of(streams, 8, 3);

        batches.ShouldAllBe(batch => batch.Windows.All(w => w.Count == batch.Windows[0].Count) && batch.Windows.Count <= 3);
        batches.Sum(batch => batch.Tokens).ShouldBe(51 + 34);
        batches.SelectMany(b => b.Windows).Distinct().Count().ShouldBe(7 + 5);
    }

    [Fact]
    public void Take_LimitOfTokens_TakesDomainsInTurnAndCutsTheLast()
    {
        var text = new HeldOutText(
            ["a", "b"],
            [new(0, "a0", new string('a', 10)), new(0, "a1", new string('a', 10)), new(1, "b0", new string('b', 10)), new(1, "b1", new string('b', 10))]);

        var taken = text.Take(maxDocuments: null, maxTokens: 27, Bytes);

        taken.Documents.Select(d => d.Id).ShouldBe(["a0", "a1", "b0"]);
        taken.Documents[1].Text.Length.ShouldBe(4); // 5 of 11 tokens are left
        taken.Tokenize(Bytes).Sum(stream => stream.Scored).ShouldBe(27);
        text.Take(2, null, Bytes).Documents.Select(d => d.Id).ShouldBe(["a0", "b0"]);
    }

    private sealed class Begins : ITokenizer
    {
        public int VocabularySize => 258;

        public int EndTokenId => 256;

        public int? BeginTokenId => 257;

        public bool AddsBeginToken => true;

        public IReadOnlyDictionary<string, byte[]> Files => Bytes.Files;

        public string Digest => "begins";

        public int[] Encode(string text) => Bytes.Encode(text);

        public string Decode(ReadOnlySpan<int> ids) => Bytes.Decode(ids);
    }
}
