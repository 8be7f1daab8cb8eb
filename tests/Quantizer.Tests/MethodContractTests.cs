using Espalier.Modeling;
using Espalier.Modeling.Checkpoints;
using Espalier.Modeling.Runtime;
using Espalier.Modeling.WeightFormats;
using Espalier.Pipelines.Options;
using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Grids;
using Espalier.Quantizer.Methods;
using Espalier.Stages.Methods;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Tests;

/// <summary>What every discovered method and every weight format must do; a new file is covered by being there.</summary>
public sealed class MethodContractTests : IDisposable
{
    private const int Rows = 24, Columns = 32, Tokens = 300;

    private readonly StageBench _bench = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    public static TheoryData<string> Methods => [.. MethodCatalog<IQuantizationMethod>.Names];

    public static TheoryData<string> Formats => [.. WeightFormat.All.Select(format => format.Name)];

    public static TheoryData<string, int, int, bool> Schemes
    {
        get
        {
            var schemes = new TheoryData<string, int, int, bool>();
            foreach (var method in MethodCatalog<IQuantizationMethod>.All)
                foreach (var (bits, groupSize, symmetric) in method.Own is { } own ? [.. own.GroupSizes.Select(size => (own.Bits, size, true))]
                    : ((int, int, bool)[])[(4, 8, true), (4, -1, false), (8, 16, false), (8, -1, true)])
                    schemes.Add(method.Name, bits, groupSize, symmetric);
            return schemes;
        }
    }

    public void Dispose()
    {
        _scope.Dispose();
        _bench.Dispose();
    }

    [Fact]
    public void Schema_Choices_AreTheDiscoveredMethodsAndFormats()
    {
        var schema = OptionSchema.For(typeof(QuantizeOptions));

        schema.Properties!["method"].Choices!.Order().ShouldBe(MethodCatalog<IQuantizationMethod>.Names);
        schema.Properties["format"].Choices.ShouldBe(WeightFormat.All.Select(format => format.Name));
        schema.Properties["format"].Default!.Value.GetString().ShouldBe(WeightFormat.Default);
    }

    [Fact]
    public void Summary_EveryMethodAndFormat_IsASentence() =>
        MethodCatalog<IQuantizationMethod>.All.Select(method => method.Summary).Concat(WeightFormat.All.Select(format => format.Summary))
            .ShouldAllBe(summary => summary.Length > 20 && summary.EndsWith('.'));

    [Theory]
    [MemberData(nameof(Methods))]
    public void Schema_OptionsOfEveryMethod_AreExplainedAndChecked(string name)
    {
        var schema = OptionSchema.For(typeof(QuantizeOptions));
        foreach (var (option, own) in schema.Methods!.GetValueOrDefault(name)?.Properties ?? new Dictionary<string, OptionSchema>())
        {
            own.Description!.ShouldEndWith(".", Case.Sensitive, option);
            if (own.Max is { } most)
                Should.Throw<Contracts.UserInputException>(() =>
                    OptionReader.Parse(schema, $$"""{"method":"{{name}}","{{option}}":{{most + 1}}}""", "test")).Message.ShouldContain(option);
        }
    }

    [Theory]
    [MemberData(nameof(Schemes))]
    public void Quantize_EveryMethod_StaysWithinItsBoundsAndIsRepeatable(string name, int bits, int groupSize, bool symmetric)
    {
        var (method, scheme) = (MethodCatalog<IQuantizationMethod>.Get(name, "method"), new QuantizationScheme(bits, groupSize, symmetric));
        var context = _bench.Context($$"""{"method":"{{name}}"}""");

        var quantized = method.Quantize(Matrix(), scheme, context);

        if (method.Own is { } own && WeightFormat.Of(own.Format).IsFloatingPoint)
        {
            (Float8.Decode(Float8.Encode(quantized.Codes)) - quantized.Codes).abs().max().item<float>().ShouldBe(0);
        }
        else
        {
            quantized.Codes.min().item<float>().ShouldBeGreaterThanOrEqualTo(scheme.LowestCode);
            quantized.Codes.max().item<float>().ShouldBeLessThanOrEqualTo(scheme.HighestCode);
            (quantized.Codes - quantized.Codes.round()).abs().max().item<float>().ShouldBe(0);
        }
        quantized.Grid.Scales.shape.ShouldBe(groupSize == 0 ? [1, 1] : [Rows, groupSize < 0 ? 1 : Columns / groupSize]);
        (quantized.Grid.ZeroPoints is null).ShouldBe(symmetric);
        quantized.Record.RelativeError.ShouldBeInRange(1e-6, bits == 2 ? 0.6 : bits == 4 ? 0.2 : 0.03);
        RoundToNearest.RelativeError(Matrix().Weight, quantized.Grid.Dequantize(quantized.Codes)).ShouldBe(quantized.Record.RelativeError, 1e-9);
        if (quantized.Record.Objective is { } objective)
            objective.ShouldBeLessThanOrEqualTo(quantized.Record.ObjectiveOfRtn!.Value);
        var again = method.Quantize(Matrix(), scheme, context);
        again.Codes.bytes.SequenceEqual(quantized.Codes.bytes).ShouldBeTrue();
        again.Record.ShouldBe(quantized.Record);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Quantize_EveryMethod_LeavesOnlyItsResultBehind(string name)
    {
        var (method, context) = (MethodCatalog<IQuantizationMethod>.Get(name, "method"), _bench.Context($$"""{"method":"{{name}}"}"""));
        var matrix = Matrix();
        var before = TorchRuntime.LiveTensorCount;

        var scheme = method.Own is { } own ? new QuantizationScheme(own.Bits, own.GroupSizes[0], Symmetric: true)
            : new QuantizationScheme(4, 8, Symmetric: false);

        var quantized = method.Quantize(matrix, scheme, context);

        TorchRuntime.LiveTensorCount.ShouldBe(before + (scheme.Symmetric ? 2 : 3));
        quantized.Codes.Dispose();
        quantized.Grid.Scales.Dispose();
        quantized.Grid.ZeroPoints?.Dispose();
        TorchRuntime.LiveTensorCount.ShouldBe(before);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Pack_ThenUnpack_GivesTheDequantizedWeights(string name)
    {
        var format = WeightFormat.Of(name);
        foreach (var quantization in Kinds(format))
        {
            var scheme = new QuantizationScheme(quantization.Bits, quantization.GroupSize, quantization.Symmetric);
            var quantized = format.IsFloatingPoint ? Fp8.Quantize(Matrix(), scheme) : RoundToNearest.Quantize(Matrix(), scheme, fallback: null);

            var layout = format.Layout("a.b.weight", Rows, Columns, quantization);
            var tensors = format.Pack(new CodedMatrix(quantized.Codes, quantized.Grid.Scales, quantized.Grid.ZeroPoints), quantization, ScalarType.Float32);

            tensors.Select(t => t.shape).ShouldBe(layout.Select(part => part.Shape.ToArray()));
            tensors.Select(t => t.dtype).ShouldBe(layout.Select(part => part.Type ?? ScalarType.Float32));
            layout.ShouldAllBe(part => part.Name.StartsWith("a.b.", StringComparison.Ordinal));
            layout.Select(part => part.SizeBytes(4)).ShouldBe(tensors.Select(t => (long)t.contiguous().bytes.Length));
            var stored = layout.Zip(tensors).ToDictionary(pair => pair.First.Name, pair => pair.Second);
            var unpacked = format.Unpack("a.b.weight", part => stored[part], quantization);
            // bytes may differ: -0 is stored as 0
            (unpacked - quantized.Grid.Dequantize(quantized.Codes)).abs().max().item<float>().ShouldBe(0, $"{name}: {quantization}");
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Write_ThenParse_GivesTheSameQuantization(string name)
    {
        var format = WeightFormat.Of(name);
        foreach (var quantization in Kinds(format))
        {
            var again = ModelConfig.Parse((ModelConfig.Tiny() with { Quantization = quantization }).ToJson());

            again.Quantization.ShouldBe(quantization);
            WeightFormat.All.Count(other => other.Describes(format.Write(quantization))).ShouldBe(1);
        }
    }

    private static IEnumerable<WeightQuantization> Kinds(IWeightFormat format) =>
        (from bits in format.Bits from groupSize in format.IsFloatingPoint ? [-1, 8, 0] : new[] { -1, 8 } from symmetric in new[] { true, false }
            select new WeightQuantization(bits, groupSize, symmetric) { Format = format.Name })
        .Where(kind => format.Refuse(kind) is null);

    // Inputs of unequal spread, so that methods that look at them have something to gain.
    private static MatrixToQuantize Matrix()
    {
        var weight = randn(Rows, Columns, generator: new Generator(1));
        var inputs = randn(Tokens, Columns, dtype: float64, generator: new Generator(2)) * linspace(0.2, 3, Columns, dtype: float64);
        var hessian = inputs.transpose(0, 1).matmul(inputs) * (2.0 / Tokens);
        return new MatrixToQuantize("layer.weight", weight, ScalarType.Float32, new InputMoments(hessian, Tokens, Tokens));
    }
}
