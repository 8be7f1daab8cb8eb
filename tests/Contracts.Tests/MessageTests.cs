using System.Collections;
using System.Text;
using System.Text.Json;

namespace Espalier.Contracts.Tests;

public sealed class MessageTests
{
    private const int LimitBytes = 32 << 10;

    public static TheoryData<string> Messages => [.. Sample.Types.Select(t => t.FullName!)];

    [Fact]
    public void Types_OfTheContracts_IncludeMessagesAndReferences()
    {
        foreach (var type in new[] { typeof(StepAssignment), typeof(NoStep), typeof(ManifestRef), typeof(Problem), typeof(AliasMoved) })
            Sample.Types.ShouldContain(type);
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void Json_EveryMember_ComesBack(string typeName)
    {
        var type = typeof(Digest).Assembly.GetType(typeName)!;
        var message = Sample.Of(type);

        var json = JsonSerializer.SerializeToUtf8Bytes(message, type, WireJson.Options);

        AssertSame(message, JsonSerializer.Deserialize(json, type, WireJson.Options), typeName);
        json.Length.ShouldBeLessThan(LimitBytes);
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void Json_Keys_AreKebabCase(string typeName)
    {
        var type = typeof(Digest).Assembly.GetType(typeName)!;

        var json = JsonSerializer.SerializeToElement(Sample.Of(type), type, WireJson.Options);

        foreach (var property in json.EnumerateObject())
            property.Name.ShouldMatch("^[a-z0-9]+(-[a-z0-9]+)*$");
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void Json_UnknownMember_IsIgnored(string typeName)
    {
        var type = typeof(Digest).Assembly.GetType(typeName)!;
        var json = Encoding.UTF8.GetString(JsonSerializer.SerializeToUtf8Bytes(Sample.Of(type), type, WireJson.Options));
        var newer = json == "{}" ? "{\"added-later\":1}" : "{\"added-later\":[1]," + json[1..];

        AssertSame(Sample.Of(type), JsonSerializer.Deserialize(newer, type, WireJson.Options), typeName);
    }

    [Fact]
    public void Json_RequiredMemberMissing_IsRefusedByName() =>
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<StepReady>("""{"kind":"train"}""", WireJson.Options)).Message.ShouldContain("device");

    [Theory]
    [InlineData("\"trainer-state\"", ArtifactKind.TrainerState)]
    [InlineData("\"checkpoint\"", ArtifactKind.Checkpoint)]
    public void Json_Enum_IsKebabCaseText(string json, ArtifactKind kind)
    {
        JsonSerializer.Serialize(kind, WireJson.Options).ShouldBe(json);
        JsonSerializer.Deserialize<ArtifactKind>(json, WireJson.Options).ShouldBe(kind);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("\"0\"")]
    [InlineData("\"model\"")]
    public void Json_EnumByNumberOrUnknownName_IsRefused(string json) =>
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<ArtifactKind>(json, WireJson.Options));

    [Fact]
    public void UserInputException_SeveralProblems_ShowsEveryPlace()
    {
        var error = new UserInputException([new Problem("a.yaml", 3, 5, "first"), new Problem("request", 0, 0, "second")]);

        error.Message.ShouldBe($"a.yaml:3:5: first{Environment.NewLine}request: second");
    }

    private static void AssertSame(object? expected, object? actual, string path)
    {
        if (expected is null || actual is null)
        {
            actual.ShouldBe(expected, path);
            return;
        }
        switch (expected)
        {
            case JsonElement element:
                JsonElement.DeepEquals((JsonElement)actual, element).ShouldBeTrue(path);
                break;
            case string or ValueType:
                actual.ShouldBe(expected, path);
                break;
            case IDictionary dictionary:
                ((IDictionary)actual).Count.ShouldBe(dictionary.Count, path);
                foreach (var key in dictionary.Keys)
                    AssertSame(dictionary[key], ((IDictionary)actual)[key], $"{path}[{key}]");
                break;
            case IList list:
                ((IList)actual).Count.ShouldBe(list.Count, path);
                for (var i = 0; i < list.Count; i++)
                    AssertSame(list[i], ((IList)actual)[i], $"{path}[{i}]");
                break;
            default:
                foreach (var property in expected.GetType().GetProperties())
                    AssertSame(property.GetValue(expected), property.GetValue(actual), $"{path}.{property.Name}");
                break;
        }
    }
}
