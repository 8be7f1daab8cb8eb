using System.Text.Json;

namespace Espalier.Contracts.Tests;

public sealed class DigestTests
{
    // FIPS 180-2: the digests of "" and "abc".
    private const string Empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    private const string Abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    [Fact]
    public void Of_KnownTexts_IsSha256()
    {
        Digest.Of([]).Hex.ShouldBe(Empty);
        Digest.Of("abc"u8).Hex.ShouldBe(Abc);
        Digest.Of("abc"u8).Short.ShouldBe("ba7816bf8f01");
    }

    [Theory]
    [InlineData(Abc)]
    [InlineData("sha256:" + Abc)]
    public void Parse_HexWithOrWithoutPrefix_IsSameDigest(string text)
    {
        Digest.Parse(text).ShouldBe(Digest.Of("abc"u8));
        Digest.TryParse(text, out var digest).ShouldBeTrue();
        digest.ToString().ShouldBe(Abc);
    }

    [Theory]
    [InlineData("")]
    [InlineData("sha256:")]
    [InlineData("ba7816bf")]
    [InlineData(Abc + "0")]
    [InlineData("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD")]
    [InlineData("ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
    [InlineData(" " + Abc)]
    [InlineData("SHA256:" + Abc)]
    [InlineData("sha256:sha256:" + Abc)]
    [InlineData("../../../../../../../../../../../../../../../../../../../../../etc")]
    public void Parse_AnythingElse_IsRefused(string text)
    {
        Should.Throw<FormatException>(() => Digest.Parse(text)).Message.ShouldContain("64 lower-case hex digits");
        Digest.TryParse(text, out var digest).ShouldBeFalse();
        digest.IsEmpty.ShouldBeTrue();
    }

    [Fact]
    public void TryParse_Null_IsFalse() => Digest.TryParse(null, out _).ShouldBeFalse();

    [Fact]
    public void Default_HasNoHex()
    {
        Should.Throw<InvalidOperationException>(() => default(Digest).Hex);
        default(Digest).ToString().ShouldBe("");
        Should.Throw<InvalidOperationException>(() => JsonSerializer.Serialize(default(Digest)));
    }

    [Fact]
    public void FromHash_WrongLength_IsRefused() =>
        Should.Throw<ArgumentException>(() => Digest.FromHash(new byte[31])).Message.ShouldContain("31");

    [Fact]
    public void Json_ValueAndKey_RoundTrip()
    {
        var map = new Dictionary<Digest, Digest> { [Digest.Of("abc"u8)] = Digest.Of([]) };

        var json = JsonSerializer.Serialize(map, WireJson.Options);

        json.ShouldBe($$"""{"{{Abc}}":"{{Empty}}"}""");
        JsonSerializer.Deserialize<Dictionary<Digest, Digest>>(json, WireJson.Options).ShouldBe(map);
    }

    [Theory]
    [InlineData("5")]
    [InlineData("null")]
    [InlineData("\"abc\"")]
    public void Json_AnythingElse_IsRefused(string json) =>
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<Digest>(json, WireJson.Options));

    [Fact]
    public void CompareTo_OrdersByHex() =>
        new[] { Digest.Of([]), Digest.Of("abc"u8) }.Order().First().ShouldBe(Digest.Of("abc"u8));
}
