using Espalier.Datasets.Sampling;
using Espalier.Surgery.Calibration;
using Espalier.Tokenizers;

namespace Espalier.Surgery.Tests;

public sealed class CalibrationTokensTests
{
    [Theory]
    [InlineData(3, new[] { 1, 2, 2 })]
    [InlineData(5, new[] { 1, 1, 1, 1, 1 })]
    [InlineData(9, new[] { 1, 1, 1, 1, 1 })]
    public void Split_IntoParts_IsEvenAndCompleteAndNeverEmpty(int parts, int[] sizes)
    {
        var tokens = Tokens(samples: 5, asked: 5);

        var batches = tokens.Split(parts);

        batches.Select(batch => batch.GetLength(0)).ShouldBe(sizes);
        batches.SelectMany(batch => batch.Cast<long>()).ShouldBe(Enumerable.Range(0, 10).Select(id => (long)id));
    }

    [Fact]
    public void First_MoreThanThereAre_GivesAll() => Tokens(samples: 2, asked: 2).First(8).Cast<long>().ShouldBe([0, 1, 2, 3]);

    [Fact]
    public void Shortfall_FewerThanAsked_SaysHowManyOfHowMany()
    {
        Tokens(samples: 5, asked: 5).Shortfall.ShouldBeNull();
        Tokens(samples: 5, asked: 128).Shortfall!.ShouldStartWith("The calibration text gives 5 of the 128 sequences of 2 tokens asked for: it has 11 tokens");
    }

    [Fact]
    public void ToJson_Always_SaysWhatWasUsedAndHowTextsBegin() =>
        Tokens(samples: 5, asked: 128).ToJson().ToJsonString().ShouldBe(
            """{"samples":5,"length":2,"tokens":10,"samples-asked":128,"text-tokens":11,"bos":{"added":false,"token-id":null}}""");

    private static CalibrationTokens Tokens(int samples, int asked)
    {
        var ids = new long[samples, 2];
        for (var i = 0; i < ids.Length; i++)
            ids[i / 2, i % 2] = i;
        return new CalibrationTokens(new CalibrationSample(ids, asked, ids.Length + 1), new ByteTokenizer());
    }
}
