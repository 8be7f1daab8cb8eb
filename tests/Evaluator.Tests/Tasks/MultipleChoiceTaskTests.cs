using Espalier.Contracts;
using Espalier.Evaluator.Tasks;
using Espalier.Evaluator.Texts;
using Espalier.Tokenizers;

namespace Espalier.Evaluator.Tests.Tasks;

public sealed class MultipleChoiceTaskTests
{
    private static readonly ByteTokenizer Bytes = new(258);

    [Fact]
    public void Encode_SpaceAtTheEndOfTheContext_BelongsToTheChoice()
    {
        var request = Encode("ab ", "cd");

        request.Inputs.ShouldBe("ab c".Select(c => (long)c));
        request.Targets.ShouldBe("b cd".Select(c => (long)c));
        request.Scored.ShouldBe(3);
    }

    [Theory]
    [InlineData("ab\n\n", 4)]
    [InlineData("ab \t", 4)]
    [InlineData("ab\u001f", 3)]
    [InlineData("ab\u200b", 2)] // not white space in Unicode
    public void Encode_WhiteSpaceAtTheEndOfTheContext_BelongsToTheChoice(string context, int scored) => Encode(context, "cd").Scored.ShouldBe(scored);

    [Theory]
    [InlineData(" abc", 3)]
    [InlineData("abc", 3)]
    [InlineData("  abc", 4)]
    [InlineData(" \U0001F916\u00e9", 2)]
    [InlineData(" ", 1)]
    public void LengthOf_Choice_CountsCodePointsWithoutTheDelimiter(string choice, int length) =>
        new ChoiceItem("set", "item", "", [choice, "x"], 0).LengthOf(0).ShouldBe(length);

    [Fact]
    public void Encode_ContextThatFits_IsNotCut()
    {
        Encode("012", " x", maxPositions: 4).IsCut.ShouldBeFalse();
        Encode("0123456789", " x", maxPositions: 4).IsCut.ShouldBeTrue();
    }

    [Fact]
    public void Encode_EmptyContext_IsConditionedOnTheEndToken()
    {
        var request = Encode("", "cd");

        request.Inputs.ShouldBe([256, 'c']);
        request.Scored.ShouldBe(2);
    }

    [Theory]
    [InlineData("ab")]
    [InlineData("")]
    public void Encode_BeginToken_StandsBeforeTheContextAndIsNeverScored(string context)
    {
        var request = MultipleChoiceTask.Encode(new Beginning(), new ChoiceItem("set", "item", context, ["cd", "other"], 0), 0, 0, 64);

        request.Inputs.ShouldBe([Beginning.Begin, .. (context + "c").Select(c => (long)c)]);
        request.Targets[^request.Scored..].ShouldBe("cd".Select(c => (long)c));
    }

    [Fact]
    public void Encode_LongContext_IsCutOnTheLeft()
    {
        var request = Encode("0123456789", " x", maxPositions: 4);

        request.Inputs.ShouldBe("789 ".Select(c => (long)c));
        request.Targets[^request.Scored..].ShouldBe(" x".Select(c => (long)c));
    }

    [Fact]
    public void Encode_ChoiceLongerThanTheContextOfTheModel_IsRefused() =>
        Should.Throw<UserInputException>(() => Encode("a", "bcdef", maxPositions: 4)).Message.ShouldContain("5 tokens, more than the 4 positions");

    private sealed class Beginning : ITokenizer
    {
        public const int Begin = 257;

        public int VocabularySize => Bytes.VocabularySize;

        public int EndTokenId => Bytes.EndTokenId;

        public int? BeginTokenId => Begin;

        public bool AddsBeginToken => true;

        public IReadOnlyDictionary<string, byte[]> Files => Bytes.Files;

        public string Digest => Bytes.Digest;

        public int[] Encode(string text) => Bytes.Encode(text);

        public string Decode(ReadOnlySpan<int> ids) => Bytes.Decode(ids);
    }

    private static ChoiceRequest Encode(string context, string choice, int maxPositions = 64) =>
        MultipleChoiceTask.Encode(Bytes, new ChoiceItem("set", "item", context, [choice, "other"], 0), 0, 0, maxPositions);
}
