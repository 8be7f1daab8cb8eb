using System.Text.Json;
using Espalier.Contracts;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Ledger;

/// <summary>What the ledger keeps of the stages that workers offer.</summary>
public sealed class StageCatalogTests : IDisposable
{
    private readonly LedgerFixture _ledger = new();

    public void Dispose() => _ledger.Dispose();

    [Theory]
    [InlineData(StageKinds.Dataset, "data")]
    [InlineData(StageKinds.Train, "model trainer-state report")]
    [InlineData(StageKinds.Evaluate, "report")]
    [InlineData(StageKinds.Register, "")]
    [InlineData("noop", "model report")]
    public async Task Advertise_WorkerThatIsTooOldToSay_GetsTheTraitsThatItsStageHad(string kind, string outputs)
    {
        await _ledger.AdvertiseAsync(kind);

        var traits = (await _ledger.Catalog.ListAsync(default)).ShouldHaveSingleItem().Traits!;

        string.Join(' ', traits.Outputs).ShouldBe(outputs);
        traits.DependsOnNumerics.ShouldBeTrue("its steps keep their keys");
    }

    [Fact]
    public async Task Advertise_Traits_AreKeptAndReplaced()
    {
        await AdvertiseAsync(new StageTraits { Outputs = ["b"] });
        await AdvertiseAsync(new StageTraits
        {
            Outputs = ["a"],
            InputNamesMatter = true,
            DependsOnNumerics = false,
            Fingerprints = new Dictionary<string, string> { ["from"] = "digest" },
        });

        var code = (await _ledger.Catalog.FindLiveAsync(StageKinds.Train, "cpu", default))!.Code;

        (string.Join(' ', code.Traits.Outputs), code.Traits.InputNamesMatter, code.Traits.DependsOnNumerics, code.Traits.Fingerprints["from"])
            .ShouldBe(("a", true, false, "digest"));
    }

    private Task AdvertiseAsync(StageTraits traits) => _ledger.Catalog.AdvertiseAsync(new StageAdvertised
    {
        Kind = StageKinds.Train,
        Version = "v1",
        NumericsClass = NumericsClasses.Any,
        Schema = JsonSerializer.SerializeToElement(new { kind = "object" }),
        Traits = traits,
    }, default);
}
