using System.Text.Json;

namespace Espalier.Contracts.Tests;

/// <summary>
/// Messages of an older version are understood, and it understands ours: while services are replaced one after the other, both are on the
/// bus. The bodies in <c>Golden/2026-11-22</c> were written by the serializer and the records of commit c26e3e4, the last one of that day;
/// they never change. <c>Enums.json</c> has the words of its enums.
/// </summary>
public sealed class GoldenMessageTests
{
    private const string Folder = "Golden/2026-11-22";
    private const string Enums = "Enums";

    public static TheoryData<string> Bodies => [.. Names().Where(name => name != Enums)];

    [Fact]
    public void Bodies_AreOfEveryMessageOfThatVersion() => Names().Select(name => name.Split('.')[0]).Distinct().Order(StringComparer.Ordinal).ShouldBe(
    [
        "AliasMoved", "CancelRun", "ClaimStep", Enums, "FindKeyRole", "FindModel", "HeartbeatAnswer", "KeyRole", "ModelFound", "ModelRegistered",
        "NoStep", "ResumeRun", "RunAccepted", "RunRejected", "RunStateChanged", "StageAdvertised", "StepAssignment", "StepFailed", "StepFinished",
        "StepHeartbeat", "StepProgress", "StepReady", "StepReportAnswer", "StepStateChanged", "SubmitRun",
    ]);

    [Theory]
    [MemberData(nameof(Bodies))]
    public void Read_BodyOfTheOlderVersion_KeepsEveryMember(string name)
    {
        var old = Read(name);

        var message = old.Deserialize(TypeOf(name), WireJson.Options);

        message.ShouldNotBeNull();
        FindDifference(old, JsonSerializer.SerializeToElement(message, TypeOf(name), WireJson.Options), name).ShouldBeNull();
    }

    [Theory]
    [MemberData(nameof(Bodies))]
    public void Write_OurMessage_HasEveryMemberThatTheOlderVersionKnows(string name)
    {
        var ours = JsonSerializer.SerializeToElement(Sample.Of(TypeOf(name)), TypeOf(name), WireJson.Options);

        FindDifferentShape(Read(name), ours, name).ShouldBeNull();
    }

    [Fact]
    public void Enums_WordsOfTheOlderVersion_AreStillRead()
    {
        foreach (var type in Read(Enums).EnumerateObject())
            foreach (var word in type.Value.EnumerateArray())
                Should.NotThrow(() => word.Deserialize(TypeOf(type.Name), WireJson.Options), $"{type.Name} {word}");
    }

    private static IEnumerable<string> Names() =>
        typeof(GoldenMessageTests).Assembly.GetManifestResourceNames().Where(name => name.StartsWith(Folder, StringComparison.Ordinal))
            .Select(name => name[(Folder.Length + 1)..^".json".Length]);

    private static JsonElement Read(string name)
    {
        using var body = typeof(GoldenMessageTests).Assembly.GetManifestResourceStream($"{Folder}/{name}.json")!;
        return JsonSerializer.Deserialize<JsonElement>(body);
    }

    private static Type TypeOf(string name) => typeof(Digest).Assembly.GetType($"Espalier.Contracts.{name.Split('.')[0]}", throwOnError: true)!;

    /// <summary>The first member of the old value that the new one lacks or has changed; null when there is none.</summary>
    private static string? FindDifference(JsonElement old, JsonElement read, string path) => old.ValueKind switch
    {
        JsonValueKind.Object when read.ValueKind == JsonValueKind.Object => old.EnumerateObject()
            .Select(m => read.TryGetProperty(m.Name, out var value) ? FindDifference(m.Value, value, $"{path}.{m.Name}") : $"{path}.{m.Name} is gone")
            .FirstOrDefault(d => d is not null),
        JsonValueKind.Array when read.ValueKind == JsonValueKind.Array && old.GetArrayLength() == read.GetArrayLength() =>
            old.EnumerateArray().Zip(read.EnumerateArray()).Select((pair, i) => FindDifference(pair.First, pair.Second, $"{path}[{i}]"))
                .FirstOrDefault(d => d is not null),
        _ => JsonElement.DeepEquals(old, read) ? null : $"{path} was {old} and is {read}",
    };

    /// <summary>The first member of the old value that ours lacks or has as another kind of value; values may differ.</summary>
    private static string? FindDifferentShape(JsonElement old, JsonElement ours, string path) => old.ValueKind switch
    {
        JsonValueKind.Object when ours.ValueKind == JsonValueKind.Object && IsRecord(path) => old.EnumerateObject()
            .Select(m => ours.TryGetProperty(m.Name, out var value) ? FindDifferentShape(m.Value, value, $"{path}.{m.Name}") : $"{path}.{m.Name} is gone")
            .FirstOrDefault(d => d is not null),
        JsonValueKind.Array when ours.ValueKind == JsonValueKind.Array => old.EnumerateArray().Take(1)
            .Select(item => FindDifferentShape(item, ours[0], $"{path}[]")).FirstOrDefault(),
        JsonValueKind.True or JsonValueKind.False when ours.ValueKind is JsonValueKind.True or JsonValueKind.False => null,
        _ => old.ValueKind == ours.ValueKind ? null : $"{path} was a {old.ValueKind} and is a {ours.ValueKind}",
    };

    /// <summary>Whether the members are ours to name; those of dictionaries and of free documents are not.</summary>
    private static bool IsRecord(string path) =>
        path.Split('.')[^1] is not ("metrics" or "outputs" or "parameters" or "schema" or "options");
}
