namespace Espalier.Contracts.Tests;

public sealed class NumericsClassesTests
{
    [Theory]
    [InlineData("engine;cpu;avx2;threads=8", 8)]
    [InlineData("engine;cpu;avx2;threads=", null)]
    [InlineData("engine;cpu;avx2;threads=8;more", null)]
    [InlineData("any", null)]
    public void ThreadsOf_Class_IsTheNumberAtItsEnd(string numericsClass, int? expected) => NumericsClasses.ThreadsOf(numericsClass).ShouldBe(expected);

    [Theory]
    [InlineData("engine;cpu;avx2;threads=8", "engine;cpu;avx2;threads=1", true)]
    [InlineData("engine;cpu;avx2;threads=8", "engine;cpu;avx2;threads=8", false)]
    [InlineData("engine;cpu;avx2;threads=8", "engine;cpu;avx512;threads=1", false)]
    [InlineData("any", "engine;threads=1", false)]
    public void DifferInThreadsOnly_Classes_SaysWhetherOneCanComputeAsTheOther(string left, string right, bool expected) =>
        NumericsClasses.DifferInThreadsOnly(left, right).ShouldBe(expected);
}
