using Espalier.Datasets;

namespace Espalier.Datasets.Tests;

public sealed class TextCleaningTests
{
    [Theory]
    [InlineData("a\r\nb\rc\nd", "a\nb\nc\nd")]
    [InlineData("\uFEFFtext", "text")]
    [InlineData("a\u0000b\u0007c\u0085d", "abcd")]
    [InlineData("line  \t\nnext ", "line\nnext")]
    [InlineData("\ttabbed\n\tmore", "tabbed\n\tmore")]
    [InlineData("\U0001F600 ok", "\U0001F600 ok")]
    [InlineData(" \n\n \t", "")]
    public void Clean_Text_KeepsWhatIsText(string text, string expected) => TextCleaning.Clean(text).ShouldBe(expected);

    [Fact]
    public void Clean_UnpairedSurrogates_Go() => TextCleaning.Clean("\uDC00x\uD800y\uD800").ShouldBe("xy");
}
