using System.Text;
using Espalier.Artifacts.Checkpoints;

namespace Espalier.Artifacts.Tests.Checkpoints;

public sealed class SafetensorsWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // The example of the format's description: 8 + 144 + 14 bytes, the wider type first although its name comes last.
    [Fact]
    public async Task WriteAsync_TwoTypes_IsByteEqualToReference()
    {
        var tensors = new InMemoryTensors()
            .Add("a", "BF16", [3], new byte[] { 1, 2, 3, 4, 5, 6 })
            .Add("b", "F32", [2], new byte[] { 11, 12, 13, 14, 15, 16, 17, 18 });

        await SafetensorsWriter.WriteAsync(_folder["x.safetensors"], tensors);

        const string Json = """{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"""
            + ""","a":{"dtype":"BF16","shape":[3],"data_offsets":[8,14]}}""";
        Json.Length.ShouldBe(140);
        byte[] expected = [144, 0, 0, 0, 0, 0, 0, 0, .. Encoding.UTF8.GetBytes(Json + "    "), 11, 12, 13, 14, 15, 16, 17, 18, 1, 2, 3, 4, 5, 6];
        expected.Length.ShouldBe(166);
        File.ReadAllBytes(_folder["x.safetensors"]).ShouldBe(expected);
    }

    [Fact]
    public void Header_UnusualNames_EscapesOnlyWhatJsonDemands()
    {
        string[] names = ["q\"\\\n\u0001", "größe+<>&'", "\U0001F332", "\uE000"];
        var layout = SafetensorsWriter.Layout(names.Select(n => new TensorHeader(n, "U8", [1], 1)));

        var text = Encoding.UTF8.GetString(SafetensorsWriter.Header(layout, new Dictionary<string, string>())[8..]).TrimEnd(' ');

        text.ShouldBe(
            """
            {"größe+<>&'":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"q\"\\\n\u0001":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},
            """
            + "\"\uE000\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]},\"\U0001F332\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[3,4]}}");
    }

    [Fact]
    public void Layout_EveryType_GoesFromWidestDown()
    {
        var layout = SafetensorsWriter.Layout(new[] { "I64", "BOOL", "F32", "U64", "BF16", "I8", "F64" }.Select(t => new TensorHeader(t, t, [1], 1)));

        layout.Select(t => t.DType).ShouldBe(["U64", "I64", "F64", "F32", "BF16", "I8", "BOOL"]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    public async Task WriteAsync_AnyNumberOfTensors_StartsDataAtMultipleOfEight(int count)
    {
        var tensors = new InMemoryTensors();
        for (var i = 0; i < count; i++)
            tensors.Add(new string('t', i + 1), "U8", [i], new byte[i]);

        await SafetensorsWriter.WriteAsync(_folder["x.safetensors"], tensors);

        using var file = SafetensorsFile.Open(_folder["x.safetensors"]);
        file.Names.Count.ShouldBe(count);
        (BitConverter.ToInt64(File.ReadAllBytes(_folder["x.safetensors"])) % 8).ShouldBe(0);
    }

    [Fact]
    public async Task WriteAsync_SourceFails_LeavesNothingAndKeepsOldFile()
    {
        File.WriteAllText(_folder["x.safetensors"], "old");

        await Should.ThrowAsync<IOException>(() => SafetensorsWriter.WriteAsync(_folder["x.safetensors"], new FailingTensors()));

        Directory.GetFileSystemEntries(_folder.Path).ShouldBe([_folder["x.safetensors"]]);
        File.ReadAllText(_folder["x.safetensors"]).ShouldBe("old");
    }

    private sealed class FailingTensors : ITensorBytes
    {
        public IReadOnlyList<string> Names => ["a"];

        public TensorHeader Describe(string name) => new(name, "U8", [4], 4);

        public void Read(string name, Span<byte> destination) => throw new IOException("gone");

        public void ReadRange(string name, long offset, Span<byte> destination) => throw new IOException("gone");
    }
}
