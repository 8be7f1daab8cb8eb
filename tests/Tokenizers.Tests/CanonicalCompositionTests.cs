using System.Text;
using Espalier.Tokenizers;

namespace Espalier.Tokenizers.Tests;

public sealed class CanonicalCompositionTests
{
    // Rows of Unicode's NormalizationTest.txt and cases of UAX 15: source, form C.
    [Theory]
    [InlineData("e\u0301", "\u00e9")]
    [InlineData("\u1E0A\u0323", "\u1E0C\u0307")]
    [InlineData("q\u0307\u0323", "q\u0323\u0307")]
    [InlineData("\u212B", "\u00C5")]
    [InlineData("\u0958", "\u0915\u093C")]
    [InlineData("\u1100\u1161\u11A8", "\uAC01")]
    [InlineData("\uAC00\u11A8", "\uAC01")]
    [InlineData("\u0061\u0315\u0300\u05AE\u0300\u0062", "\u00E0\u05AE\u0300\u0315\u0062")]
    [InlineData("\u1100\uAC00\u11A8", "\u1100\uAC01")]
    [InlineData("\u0B47\u0300\u0B3E", "\u0B47\u0300\u0B3E")]
    [InlineData("\uD834\uDD5E", "\uD834\uDD57\uD834\uDD65")]
    [InlineData("\uF900", "\u8C48")]
    [InlineData("plain ASCII and \u00e9", "plain ASCII and \u00e9")]
    public void Normalize_KnownCase_GivesFormC(string source, string expected) =>
        CanonicalComposition.Normalize(source).ShouldBe(expected);

    [Fact]
    public void Normalize_Twice_ChangesNothingMore()
    {
        for (var code = 0; code < 0x30000; code++)
        {
            if (!Rune.IsValid(code))
                continue;
            var once = CanonicalComposition.Normalize(new Rune(code) + "\u0301\u0327");

            CanonicalComposition.Normalize(once).ShouldBe(once);
        }
    }
}
