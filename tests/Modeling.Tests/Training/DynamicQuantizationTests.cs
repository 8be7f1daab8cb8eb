using Espalier.Modeling.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Training;

public sealed class DynamicQuantizationTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Compress_WhatWasExpanded_GivesTheSameCodes(bool isSigned)
    {
        using var quantization = new DynamicQuantization(isSigned, CPU);
        using var scope = NewDisposeScope();
        var values = randn(1024, generator: RandomStream.For(1, "v")).pow(3); // small and large ones
        values = isSigned ? values : values.abs();
        values[256] = isSigned ? -50 : 50; // the largest of its block
        Tensor codes = zeros(1024, dtype: uint8), scales = zeros(4), codesAgain = zeros(1024, dtype: uint8), scalesAgain = zeros(4);

        quantization.Compress(values, codes, scales);
        var expanded = quantization.Expand(codes, scales);
        quantization.Compress(expanded, codesAgain, scalesAgain);

        codesAgain.bytes.SequenceEqual(codes.bytes).ShouldBeTrue();
        scalesAgain.bytes.SequenceEqual(scales.bytes).ShouldBeTrue();
        expanded[256].item<float>().ShouldBe(isSigned ? -50 : 50);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void CompressAndExpand_InMemoryAndPlain_GiveTheSameBits(bool isSigned)
    {
        using var fast = new DynamicQuantization(isSigned, CPU);
        using var plain = new DynamicQuantization(isSigned, CPU) { UsesMemory = false };
        using var scope = NewDisposeScope();
        var values = randn(64 * 256, generator: RandomStream.For(2, "v")).pow(5);
        values = isSigned ? values : values.abs();
        values.narrow(0, 512, 256).zero_();
        Tensor codes = zeros(64 * 256, dtype: uint8), scales = zeros(64), plainCodes = zeros(64 * 256, dtype: uint8), plainScales = zeros(64);

        fast.Compress(values, codes, scales);
        plain.Compress(values, plainCodes, plainScales);

        codes.bytes.SequenceEqual(plainCodes.bytes).ShouldBeTrue();
        scales.bytes.SequenceEqual(plainScales.bytes).ShouldBeTrue();
        fast.Expand(codes, scales).bytes.SequenceEqual(plain.Expand(codes, scales).bytes).ShouldBeTrue();
    }

    [Theory]
    [InlineData(0.95, 0.0071)]   // 64 codes from 0.1 to 1: half a step of 0.9 / 64
    [InlineData(0.011, 0.0015)]  // 32 codes from 0.01 to 0.1
    [InlineData(-0.5, 0.0071)]
    [InlineData(0, 0)]
    public void Expand_OneNumber_IsNear(double value, double tolerance)
    {
        using var quantization = new DynamicQuantization(isSigned: true, CPU);
        using var scope = NewDisposeScope();
        Tensor values = zeros(256), codes = zeros(256, dtype: uint8), scales = zeros(1);
        values[0] = 1;
        values[1] = value;

        quantization.Compress(values, codes, scales);

        ((double)quantization.Expand(codes, scales)[1].item<float>()).ShouldBe(value, tolerance);
    }

    [Fact]
    public void Expand_NothingCompressedYet_IsZero()
    {
        using var quantization = new DynamicQuantization(isSigned: false, CPU);
        using var scope = NewDisposeScope();

        quantization.Expand(zeros(512, dtype: uint8), zeros(2)).count_nonzero().item<long>().ShouldBe(0);
    }
}
