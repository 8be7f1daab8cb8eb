using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Espalier.Contracts.Tests;

public sealed class CanonicalJsonTests
{
    [Theory]
    [InlineData("""{ "b" : 1, "a" : [ 1, 2 ] }""", """{"a":[1,2],"b":1}""")]
    [InlineData("""{"z":{"y":1,"x":2},"A":0,"a":0}""", """{"A":0,"a":0,"z":{"x":2,"y":1}}""")]
    [InlineData("[1.0, 1e3, -0.0, 1.50, 0.1, 1e-7, 12345678901234567890]", "[1,1000,0,1.5,0.1,1E-07,1.2345678901234567E+19]")]
    [InlineData("[9223372036854775807, -9223372036854775808]", "[9223372036854775807,-9223372036854775808]")]
    [InlineData("[true, false, null, \"\"]", "[true,false,null,\"\"]")]
    [InlineData("\"\\u00e9\\u003c\\/\\u0022\"", "\"é</\\\"\"")]
    public void Serialize_AnySpelling_GivesOneForm(string json, string expected)
    {
        var element = JsonDocument.Parse(json).RootElement;

        var bytes = CanonicalJson.Serialize(element);

        Encoding.UTF8.GetString(bytes).ShouldBe(expected);
        CanonicalJson.Serialize(JsonDocument.Parse(bytes).RootElement).ShouldBe(bytes);
    }

    [Fact]
    public void DigestOf_SameValueInAnyOrder_IsSame()
    {
        var one = JsonNode.Parse("""{"a":1,"b":{"c":[1,2],"d":"x"}}""");
        var other = JsonNode.Parse("""{"b":{"d":"x","c":[1,2]},"a":1.0}""");

        Digest.Of(CanonicalJson.Serialize(other)).ShouldBe(Digest.Of(CanonicalJson.Serialize(one)));
    }

    [Fact]
    public void Serialize_ListOrder_Matters() =>
        CanonicalJson.Serialize(JsonNode.Parse("[1,2]")).ShouldNotBe(CanonicalJson.Serialize(JsonNode.Parse("[2,1]")));

    [Fact]
    public void Serialize_Record_UsesKebabCaseAndLeavesOutNulls() =>
        Encoding.UTF8.GetString(CanonicalJson.Serialize(new AliasMoved("m", "champion", 2, null, "me", "better")))
            .ShouldBe("""{"actor":"me","alias":"champion","model":"m","reason":"better","version":2}""");

    [Fact]
    public void Serialize_DoubleValues_KeepEveryBit()
    {
        double[] values = [Math.PI, double.Epsilon, double.MaxValue, 0.1 + 0.2, -1e15, 1e15, 123456789.123456789];

        var back = JsonSerializer.Deserialize<double[]>(CanonicalJson.Serialize(values));

        back.ShouldBe(values);
    }
}
