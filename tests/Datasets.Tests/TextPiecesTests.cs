using Espalier.Datasets.Sources;

namespace Espalier.Datasets.Tests;

public sealed class TextPiecesTests
{
    [Fact]
    public void Cut_FormFeeds_AreTheBoundaries() =>
        TextPieces.Cut("one\n\none\ftwo\f\fthree").Select(d => d.Text).ShouldBe(["one\n\none", "two", "three"]);

    [Fact]
    public void Cut_Paragraphs_GatherToAboutTwoKilobytes()
    {
        var paragraphs = Enumerable.Range(0, 3000).Select(i => $"Paragraph {i} has a few words in it.").ToArray();

        var pieces = TextPieces.Cut(string.Join("\n\n", paragraphs)).ToList();

        pieces.ShouldAllBe(p => p.Text.Length < 2200);
        string.Join("\n\n", pieces.Select(p => p.Text)).ShouldBe(string.Join("\n\n", paragraphs));
    }

    [Theory]
    [InlineData(200)]
    [InlineData(5_000)]
    [InlineData(300_000)]
    public void Cut_OneLongLine_LosesNothingAndGivesSeveralPieces(int length)
    {
        var text = string.Join(' ', Enumerable.Range(0, length / 6).Select(i => i.ToString("D5", null)));

        var pieces = TextPieces.Cut(text).ToList();

        pieces.Count.ShouldBeGreaterThan(1);
        string.Join(' ', pieces.Select(p => p.Text)).ShouldBe(text);
    }

    [Fact]
    public void Cut_NoSpaceAnywhere_NeverCutsASurrogatePair() =>
        TextPieces.Cut(string.Concat(Enumerable.Repeat("\U0001F600", 5000))).ShouldAllBe(p => p.Text.EnumerateRunes().All(r => r.Value == 0x1F600));

    [Fact]
    public void Cut_SameText_HasTheSameName() =>
        TextPieces.Cut("same\fother").First().Id.ShouldBe(TextPieces.Cut("before\fsame").Last().Id);
}
