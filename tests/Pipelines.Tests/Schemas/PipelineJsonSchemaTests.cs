using Espalier.Pipelines.Schemas;

namespace Espalier.Pipelines.Tests.Schemas;

public sealed class PipelineJsonSchemaTests
{
    [Fact]
    public void Generate_Stages_DescribesOptionsPerKind()
    {
        var schema = PipelineJsonSchema.Generate(SampleStages.All);

        var step = schema["properties"]!["stages"]!["additionalProperties"]!;
        step["properties"]!["uses"]!["enum"]!.AsArray().Select(n => n!.GetValue<string>()).ShouldBe(["dataset", "evaluate", "prune", "register", "train"]);
        step["allOf"]![2]!["then"]!["properties"]!["with"]!["$ref"]!.GetValue<string>().ShouldBe("#/$defs/prune");
        var prune = schema["$defs"]!["prune"]!["properties"]!;
        prune["method"]!["anyOf"]![0]!["enum"]!.AsArray().Count.ShouldBe(2);
        prune["damping"]!["default"]!.GetValue<double>().ShouldBe(0.01);
        prune["calibration"]!["additionalProperties"]!.GetValue<bool>().ShouldBeFalse();
        prune["ratio"]!["anyOf"]![0]!["maximum"]!.GetValue<double>().ShouldBe(0.9);
    }
}
