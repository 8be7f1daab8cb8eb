using Espalier.Pipelines.Planning;
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

    [Fact]
    public void Generate_WordForANumber_OneForAList_AreBothAllowed()
    {
        var options = PipelineJsonSchema.Generate([StageDefinition.For("train", typeof(ChoosyOptions))])["$defs"]!["train"]!["properties"]!;

        options["size"]!["anyOf"]![0]!["anyOf"]![0]!["minimum"]!.GetValue<double>().ShouldBe(1);
        options["size"]!["anyOf"]![1]!["enum"]!.AsArray().Select(word => (string)word!).ShouldBe(["auto"]);
        options["groups"]!["anyOf"]![0]!["type"]!.GetValue<string>().ShouldBe("array");
        options["groups"]!["anyOf"]![1]!["anyOf"]![0]!["enum"]!.AsArray().Count.ShouldBe(2);
    }
}
