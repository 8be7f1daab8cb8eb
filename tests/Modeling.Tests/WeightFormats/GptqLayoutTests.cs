using System.Text.Json.Nodes;
using Espalier.Modeling.WeightFormats;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.WeightFormats;

/// <summary>The layout of GPTQ tools, word by word: unpacked here by its description, without our own packing.</summary>
public sealed class GptqLayoutTests : IDisposable
{
    private const int Rows = 16, Columns = 32;
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData("gptq", 4, 8, true)]
    [InlineData("gptq", 8, -1, true)]
    [InlineData("gptq-v2", 4, 16, false)]
    [InlineData("gptq-v2", 8, 8, false)]
    public void Pack_Codes_LieAsDescribed(string name, int bits, int groupSize, bool symmetric)
    {
        var format = WeightFormat.Of(name);
        var kind = new WeightQuantization(bits, groupSize, symmetric);
        var codes = Codes(bits, groupSize, symmetric);

        var packed = format.Pack(codes, kind, ScalarType.BFloat16);

        packed.Select(t => $"{t.dtype} [{string.Join(", ", t.shape)}]").ShouldBe(
            format.Layout("m.weight", Rows, Columns, kind).Select(p => $"{p.Type ?? ScalarType.BFloat16} [{string.Join(", ", p.Shape)}]"));
        var (words, zeros, perWord) = (packed[0].data<int>().ToArray(), packed[1].data<int>().ToArray(), 32 / bits);
        var (scales, groupOf) = (packed[2].to(float32).data<float>().ToArray(), packed[3].data<int>().ToArray());
        var offset = name == "gptq" ? 1 : 0;
        var found = format.Unpack("m.weight", PartOf(packed), kind).to(float32).data<float>().ToArray();
        for (var row = 0; row < Rows; row++)
        {
            for (var column = 0; column < Columns; column++)
            {
                var group = groupSize < 0 ? 0 : column / groupSize;
                groupOf[column].ShouldBe(group);
                var code = (uint)words[column / perWord * Rows + row] >> column % perWord * bits & ((1u << bits) - 1);
                var zero = ((uint)zeros[group * Rows / perWord + row / perWord] >> row % perWord * bits & ((1u << bits) - 1)) + offset;
                var expected = scales[group * Rows + row] * ((int)code - zero);
                found[row * Columns + column].ShouldBe(expected, Math.Abs(expected) / 128);
                expected.ShouldBe(
                    (codes.Codes[row, column].item<float>() - (codes.ZeroPoints?[row, group].item<float>() ?? 0))
                        * codes.Scales[row, group].item<float>(), Math.Abs(expected) / 128 + 1e-6f);
            }
        }
    }

    [Theory]
    [InlineData("gptq", 0x77777777)]
    [InlineData("gptq-v2", unchecked((int)0x88888888))]
    public void Pack_SymmetricZeroPoints_AreTheKnownWord(string name, int word) =>
        WeightFormat.Of(name).Pack(Codes(4, 8, symmetric: true), new WeightQuantization(4, 8, true), ScalarType.Float16)[1].data<int>().ToArray().Distinct()
            .ShouldBe([word]);

    // What tools write that order columns by their weight: groups are those of g_idx, not of neighbours.
    [Fact]
    public void Unpack_GroupsThatDoNotLieTogether_GoByTheirIndex()
    {
        var (format, kind) = (WeightFormat.Of("gptq-v2"), new WeightQuantization(4, 8, true));
        var packed = format.Pack(Codes(4, 8, symmetric: true), kind, ScalarType.Float16).ToList();
        packed[2] = packed[2].to(float32);
        packed[3] = arange(Columns, dtype: int64).remainder(4).to(int32);

        var found = format.Unpack("m.weight", PartOf(packed), kind);

        var codes = Codes(4, 8, symmetric: true);
        var scales = codes.Scales.to(float16).to(float32);
        (found - codes.Codes * scales.index_select(1, arange(Columns, dtype: int64).remainder(4))).abs().max().item<float>().ShouldBe(0, 1e-6f);
    }

    [Fact]
    public void Unpack_GroupThatIsNotThere_IsRefused()
    {
        var (format, kind) = (WeightFormat.Of("gptq-v2"), new WeightQuantization(4, 8, true));
        var packed = format.Pack(Codes(4, 8, symmetric: true), kind, ScalarType.Float16).ToList();
        packed[3] = full(Columns, 99, dtype: int32);

        Should.Throw<InvalidModelException>(() => format.Unpack("m.weight", PartOf(packed), kind)).Message.ShouldContain("m.g_idx");
    }

    [Theory]
    [InlineData("""{"quant_method":"gptq","bits":4,"group_size":128,"desc_act":true,"sym":true}""", "gptq", 4, 128, true)]
    [InlineData("""{"quant_method":"gptq","bits":8,"group_size":-1,"sym":false,"checkpoint_format":"gptq_v2"}""", "gptq-v2", 8, -1, false)]
    public void Read_EntryOfATool_FindsTheVersion(string entry, string format, int bits, int groupSize, bool symmetric)
    {
        var config = JsonNode.Parse(ModelConfig.Tiny().ToJson())!.AsObject();
        config["quantization_config"] = JsonNode.Parse(entry);

        var read = ModelConfig.Parse(System.Text.Encoding.UTF8.GetBytes(config.ToJsonString())).Quantization!;

        (read.Format, read.Bits, read.GroupSize, read.Symmetric).ShouldBe((format, bits, groupSize, symmetric));
    }

    private static Func<string, Tensor> PartOf(IReadOnlyList<Tensor> packed) => name => packed[name switch
    {
        "m.qweight" => 0, "m.qzeros" => 1, "m.scales" => 2, "m.g_idx" => 3, _ => throw new ArgumentException(name),
    }];

    private static CodedMatrix Codes(int bits, int groupSize, bool symmetric)
    {
        using var generator = RandomStream.For(bits, "codes");
        var half = 1 << (bits - 1);
        var groups = groupSize < 0 ? 1 : Columns / groupSize;
        return new CodedMatrix(
            randint(-half, half, [Rows, Columns], dtype: float32, generator: generator), rand([Rows, groups], generator: generator) + 0.01f,
            symmetric ? null : randint(-half, half, [Rows, groups], dtype: float32, generator: generator));
    }
}
