using Espalier.Modeling;
using Espalier.Stages;
using Espalier.Tokenizers;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Surgery.Tests;

public sealed class TorchEngineTests
{
    public static TheoryData<Exception, bool> Errors() => new()
    {
        { new InvalidModelException("a tensor is missing"), true },
        { new InvalidTokenizerException("tokenizer.json is not valid JSON"), true },
        { new InvalidOperationException("CUDA out of memory"), false },
    };

    [Theory]
    [MemberData(nameof(Errors))]
    public void IsInputError_Exception_IsTrueForModelsAndTokenizersThatCannotBeUsed(Exception error, bool expected) =>
        new TorchEngine().IsInputError(error).ShouldBe(expected);

    [Fact]
    public void AddTorchEngine_HostWithANumericsClassOfItsOwn_KeepsIt()
    {
        using var provider = new ServiceCollection().AddSingleton<INumericsClass, Fixed>().AddTorchEngine().BuildServiceProvider();

        provider.GetRequiredService<INumericsClass>().ShouldBeOfType<Fixed>();
        provider.GetRequiredService<IStageEngine>().ShouldBeOfType<TorchEngine>();
    }

    private sealed class Fixed : INumericsClass
    {
        public string Value => "fixed";
    }
}
