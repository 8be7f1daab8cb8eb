namespace Espalier.Registry.Tests;

public sealed class ModelReferenceTests
{
    [Theory]
    [InlineData("demo", "demo", null, null)]
    [InlineData("demo@latest", "demo", null, null)]
    [InlineData("demo@3", "demo", 3, null)]
    [InlineData("demo@v3", "demo", 3, null)]
    [InlineData("demo@V3", "demo", 3, null)]
    [InlineData("demo@stable", "demo", null, "stable")]
    [InlineData("demo@vv3", "demo", null, "vv3")]
    [InlineData("demo@v", "demo", null, "v")]
    [InlineData("demo@-1", "demo", null, "-1")]
    [InlineData("demo@99999999999", "demo", null, "99999999999")]
    [InlineData("demo@", "demo", null, "")]
    public void Parse_Reference_ReadsVersionOrAlias(string text, string model, int? version, string? alias) =>
        ModelReference.Parse(text).ShouldBe(new ModelReference(model, version, alias));
}
