using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;

namespace Espalier.Artifacts.Tests.Checkpoints;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_OldFileOrderedByName_ReadsUnalignedTensors()
    {
        var path = Write(
            """{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"F32","shape":[],"data_offsets":[3,7]}}""",
            [1, 2, 3, 0, 0, 128, 63]);

        using var file = SafetensorsFile.Open(path);

        file.Describe("b").Shape.ShouldBeEmpty();
        BitConverter.ToSingle(file.ReadAll("b")).ShouldBe(1f);
        file.Metadata.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(" \n\t{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}\r\n  ")]
    [InlineData("""{"a":{"dtype":"U8","note":{"deep":[1,[2]]},"shape":[1],"data_offsets":[0,1]}}""")]
    [InlineData(
        """{"z":{"dtype":"F32","shape":[0,9],"data_offsets":[0,0]},"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}"""
            + ""","y":{"dtype":"I64","shape":[0],"data_offsets":[1,1]}}""")]
    [InlineData("""{"../../etc/passwd":{"dtype":"BOOL","shape":[1,1],"data_offsets":[0,1]},"__metadata__":{"format":"pt"}}""")]
    public void Open_UnusualButLegalHeader_IsAccepted(string header)
    {
        using var file = SafetensorsFile.Open(Write(header, [7]));

        file.Names.Select(file.ReadAll).ShouldContain(bytes => bytes.SequenceEqual(new byte[] { 7 }));
    }

    public static TheoryData<string, int, string> HostileHeaders => new()
    {
        // header, bytes of data, what the message must say
        { """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 3, "truncated" },
        { """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 5, "1 bytes follow the last tensor" },
        { """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}}""", 5,
            "tensor 'b' starts at byte 3 of the data, but the tensor before it ends at 2: a hole" },
        { """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}""", 3, "an overlap" },
        { """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}""", 2, "an overlap" },
        { """{"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}""", 4, "a hole" },
        { """{"a":{"dtype":"U8","shape":[2],"data_offsets":[4,2]}}""", 4, "end before they begin" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4, "tensor 'a': F32 of shape [2] takes 8 bytes" },
        { """{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}""", 1, "not a whole number of bytes" },
        { """{"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}""", 4, "unknown element type 'F33'" },
        { """{"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}""", 4, "unknown element type 'f32'" },
        { """{"a":{"dtype":5,"shape":[1],"data_offsets":[0,4]}}""", 4, "dtype is not a text" },
        { """{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,4]}}""", 4, "overflows" },
        { """{"a":{"dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,4]}}""", 4, "overflows" },
        { """{"a":{"dtype":"U8","shape":[4611686018427387904,4,0],"data_offsets":[0,0]}}""", 0, "overflows" },
        { """{"a":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}}""", 4, "overflows" },
        { """{"a":{"dtype":"U8","shape":[576460752303423488],"data_offsets":[0,576460752303423488]}}""", 4, "truncated" },
        { """{"a":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}}""", 4, "shape must hold whole numbers" },
        { """{"a":{"dtype":"U8","shape":[4.0],"data_offsets":[0,4]}}""", 4, "shape must hold whole numbers" },
        { """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4e0]}}""", 4, "data_offsets must hold whole numbers" },
        { """{"a":{"dtype":"U8","shape":[1e3],"data_offsets":[0,1000]}}""", 1000, "shape must hold whole numbers" },
        { """{"a":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,4]}}""", 4, "shape must hold whole numbers" },
        { """{"a":{"dtype":"U8","shape":["4"],"data_offsets":[0,4]}}""", 4, "shape must hold whole numbers" },
        { """{"a":{"dtype":"U8","shape":4,"data_offsets":[0,4]}}""", 4, "shape is not a list" },
        { """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0]}}""", 4, "data_offsets must be two numbers" },
        { """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4,4]}}""", 4, "data_offsets has more than 2" },
        { """{"a":{"dtype":"U8","shape":[4]}}""", 4, "lacks data_offsets" },
        { """{"a":{"shape":[4],"data_offsets":[0,4]}}""", 4, "lacks dtype" },
        { """{"a":{"dtype":"U8","data_offsets":[0,4]}}""", 4, "lacks shape" },
        { """{"a":{"dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 4, "'dtype' twice" },
        { """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}""", 8, "names 'a' twice" },
        { """{"__metadata__":{},"__metadata__":{}}""", 0, "names '__metadata__' twice" },
        { """{"__metadata__":{"k":1}}""", 0, "'k' is not a text" },
        { """{"__metadata__":{"k":null}}""", 0, "'k' is not a text" },
        { """{"__metadata__":{"k":{"x":"y"}}}""", 0, "'k' is not a text" },
        { """{"__metadata__":{"k":"1","k":"2"}}""", 0, "names 'k' twice" },
        { """{"__metadata__":[]}""", 0, "must be an object of texts" },
        { """{"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1, "not a usable tensor name" },
        { """{"a\u0000b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1, "'a\\u0000b' is not a usable tensor name" },
        { """{"a\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1, "not valid JSON" },
        { """{"a":7}""", 0, "tensor 'a' is not described by an object" },
        { """["a"]""", 0, "not a JSON object" },
        { """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}} {}""", 1, "not valid JSON" },
        { """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}""", 1, "not valid JSON" },
        { """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],}}""", 1, "not valid JSON" },
        { "\uFEFF{}", 0, "not valid JSON" },
        { "{}\0\0", 0, "not valid JSON" },
        { "", 0, "not valid JSON" },
        { """{"a":{"x":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}}""", 0, "not valid JSON" },
    };

    [Theory]
    [MemberData(nameof(HostileHeaders))]
    public void Open_HostileHeader_IsRefusedWithFileAndReason(string header, int dataBytes, string expected)
    {
        var path = Write(header, new byte[dataBytes]);

        var error = Should.Throw<UserInputException>(() => SafetensorsFile.Open(path).Dispose());

        error.Message.ShouldStartWith(path);
        error.Message.ShouldContain(expected);
    }

    [Theory]
    [InlineData(0ul, 0, "too few")]
    [InlineData(0ul, 7, "too few")]
    [InlineData(100ul, 8, "only 0 bytes follow")]
    [InlineData(100_000_001ul, 64, "at most 100000000")]
    [InlineData(ulong.MaxValue, 64, "at most 100000000")]
    [InlineData(ulong.MaxValue - 7, 64, "at most 100000000")]
    [InlineData(0ul, 8, "not valid JSON")]
    public void Open_LyingLength_IsRefusedBeforeMemoryIsTaken(ulong length, int fileBytes, string expected)
    {
        var bytes = new byte[Math.Max(8, fileBytes)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
        File.WriteAllBytes(_folder["lie"], bytes[..fileBytes]);
        var before = GC.GetAllocatedBytesForCurrentThread();

        var error = Should.Throw<UserInputException>(() => SafetensorsFile.Open(_folder["lie"]).Dispose());

        error.Message.ShouldContain(expected);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(1 << 20);
    }

    [Fact]
    public void Open_InvalidUtf8_IsRefused()
    {
        File.WriteAllBytes(_folder["bad"], [4, 0, 0, 0, 0, 0, 0, 0, (byte)'{', 0xC3, 0x28, (byte)'}']);

        Should.Throw<UserInputException>(() => SafetensorsFile.Open(_folder["bad"]).Dispose()).Message.ShouldContain("UTF-8");
    }

    [Fact]
    public void Open_RankOfAMillion_IsRefused()
    {
        var header = $$"""{"a":{"dtype":"U8","shape":[{{string.Join(',', Enumerable.Repeat("1", 1_000_000))}}],"data_offsets":[0,1]} }""";

        Should.Throw<UserInputException>(() => SafetensorsFile.Open(Write(header, [1])).Dispose()).Message.ShouldContain("shape has more than 64 numbers");
    }

    [Fact]
    public void Open_NameOfTenMegabytes_IsRefusedWithShortMessage()
    {
        var header = $$"""{"{{new string('n', 10_000_000)}}":{"dtype":"U8","shape":[1],"data_offsets":[0,1]} }""";

        var error = Should.Throw<UserInputException>(() => SafetensorsFile.Open(Write(header, [1])).Dispose());

        error.Message.ShouldContain("a tensor name of 10000000 bytes");
        error.Message.Length.ShouldBeLessThan(400);
    }

    [Fact]
    public void Parse_TooManyTensors_IsRefused()
    {
        var entries = Enumerable.Range(0, 101).Select(i => $$"""{{(i == 0 ? "{" : ",")}}"{{i}}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}""");
        var json = Encoding.UTF8.GetBytes(string.Concat(entries) + "}");

        SafetensorsHeader.Parse(json, 0, "f", out _, maxTensors: 101).Count.ShouldBe(101);
        Should.Throw<UserInputException>(() => SafetensorsHeader.Parse(json, 0, "f", out _, maxTensors: 100)).Message
            .ShouldBe("f: more than 100 tensors in one file.");
    }

    [Fact]
    public void Open_NoSuchFile_IsRefused() =>
        Should.Throw<UserInputException>(() => SafetensorsFile.Open(_folder["none"]).Dispose()).Message.ShouldContain("no such file");

    // Twelve gigabytes of holes: opening reads the header only, reading a tensor reads that tensor only.
    [Fact]
    public void Read_OneTensorOfHugeFile_TouchesOnlyThatTensor()
    {
        const long Tensor = 4L << 30;
        var path = Write(
            $$"""{"a":{"dtype":"U8","shape":[{{Tensor}}],"data_offsets":[0,{{Tensor}}]}"""
                + $$""","b":{"dtype":"U8","shape":[64],"data_offsets":[{{Tensor}},{{Tensor + 64}}]}"""
                + $$""","c":{"dtype":"F32","shape":[2,1073741824],"data_offsets":[{{Tensor + 64}},{{(3 * Tensor) + 64}}]} }""", []);
        using (var stream = File.OpenWrite(path))
        {
            stream.Seek(Tensor, SeekOrigin.End);
            stream.Write([.. Enumerable.Repeat((byte)9, 64)]);
            stream.SetLength(stream.Length + (2 * Tensor));
        }
        SafetensorsFile.Open(path).Dispose(); // compiled now
        var before = GC.GetAllocatedBytesForCurrentThread();

        using var file = SafetensorsFile.Open(path);
        var bytes = file.ReadAll("b");

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(1 << 20);
        bytes.ShouldAllBe(b => b == 9);
        file.Describe("c").SizeBytes.ShouldBe(2 * Tensor);
        var end = new byte[16];
        file.ReadRange("c", (2 * Tensor) - 16, end);
        end.ShouldAllBe(b => b == 0);
        Enumerable.Range(0, 5).Min(_ => MillisecondsToRead(path, "b")).ShouldBeLessThan(50); // the best of five, for busy machines
    }

    private static double MillisecondsToRead(string path, string tensor)
    {
        var watch = Stopwatch.StartNew();
        using var file = SafetensorsFile.Open(path);
        file.ReadAll(tensor);
        return watch.Elapsed.TotalMilliseconds;
    }

    [Fact]
    public void Read_FileCutAfterOpening_IsAnErrorAndNotACrash()
    {
        var path = Write("""{"a":{"dtype":"U8","shape":[100000],"data_offsets":[0,100000]}}""", new byte[100_000]);
        using var file = SafetensorsFile.Open(path);
        using (var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            stream.SetLength(1000);

        Should.Throw<UserInputException>(() => file.ReadAll("a")).Message.ShouldContain("ended while it was read");
    }

    [Fact]
    public void ReadRange_OutsideTensor_IsRefused()
    {
        using var file = SafetensorsFile.Open(
            Write("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}""", new byte[8]));

        Should.Throw<ArgumentOutOfRangeException>(() => file.ReadRange("a", 1, new byte[4]));
        Should.Throw<ArgumentException>(() => file.Read("a", new byte[3]));
        Should.Throw<KeyNotFoundException>(() => file.Describe("none"));
    }

    private string Write(string header, byte[] data)
    {
        var path = _folder[$"{Guid.NewGuid():n}.safetensors"];
        var json = Encoding.UTF8.GetBytes(header);
        using var stream = File.Create(path);
        stream.Write(BitConverter.GetBytes((long)json.Length));
        stream.Write(json);
        stream.Write(data);
        return path;
    }

}
