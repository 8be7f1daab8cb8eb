using System.Text.Json;
using Espalier.Pipelines.Options;

namespace Espalier.Pipelines.Tests.Options;

public sealed class OptionSchemaTests
{
    [Fact]
    public void For_Record_DescribesEveryOption()
    {
        var schema = OptionSchema.For(typeof(TrainOptions));

        schema.Properties!.Keys.ShouldBe(["data", "from", "tokens", "learning-rate", "schedule", "optimizer-state", "limit", "memory", "seed", "mix"]);
        schema.Properties["tokens"].Kind.ShouldBe(ValueKind.Count);
        schema.Properties["tokens"].Required.ShouldBeTrue();
        schema.Properties["learning-rate"].Default!.Value.GetDouble().ShouldBe(3e-4);
        schema.Properties["learning-rate"].Max.ShouldBe(1);
        schema.Properties["schedule"].Choices.ShouldBe(["cosine", "warmup-stable-decay"]);
        schema.Properties["seed"].Max.ShouldBe(int.MaxValue);
        schema.Properties["mix"].Items!.Kind.ShouldBe(ValueKind.Number);
    }

    [Fact]
    public void For_RecordWithMethods_NamesMethodsAndTheirOwnOptions()
    {
        var schema = OptionSchema.For(typeof(PruneOptions));

        schema.Discriminator.ShouldBe("method");
        schema.Properties!["method"].Choices.ShouldBe(["heapr", "random"]);
        schema.Methods!["heapr"].Properties!.Keys.ShouldBe(["damping"]);
    }

    [Fact]
    public void FromJson_OfToJson_IsTheSame()
    {
        var json = OptionSchema.For(typeof(PruneOptions)).ToJson();

        var again = OptionSchema.FromJson(json).ToJson();

        again.GetRawText().ShouldBe(json.GetRawText());
    }

    [Fact]
    public void For_OptionWithoutDescription_IsRefused() =>
        Should.Throw<InvalidOperationException>(() => OptionSchema.For(typeof(Undescribed))).Message.ShouldContain("Undescribed.Speed");

    [Fact]
    public void For_RecordThatContainsItself_IsRefused() =>
        Should.Throw<InvalidOperationException>(() => OptionSchema.For(typeof(Endless))).Message.ShouldContain("contain itself");

    internal sealed record Undescribed
    {
        public int Speed { get; init; }
    }

    internal sealed record Endless
    {
        [Option("Inner.")]
        public Endless? Inner { get; init; }
    }
}
