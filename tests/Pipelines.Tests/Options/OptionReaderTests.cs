using System.Text.Json;
using Espalier.Contracts;
using Espalier.Pipelines.Options;

namespace Espalier.Pipelines.Tests.Options;

public sealed class OptionReaderTests
{
    [Fact]
    public void Parse_Units_AreResolvedAndDefaultsFilledIn()
    {
        var options = Read<TrainOptions>("""{"data":"corpus:general","tokens":"1.5M","limit":"1h30m","memory":"2GiB"}""");

        options.GetRawText().ShouldBe(
            """{"data":"corpus:general","tokens":1500000,"learning-rate":0.0003"""
                + ""","schedule":"cosine","limit":"01:30:00","memory":2147483648,"seed":1,"mix":{}}""");
        options.Deserialize<TrainOptions>(WireJson.Options)!.Limit.ShouldBe(TimeSpan.FromMinutes(90));
    }

    [Fact]
    public void Parse_ItsOwnOutput_ChangesNothing()
    {
        var options = Read<PruneOptions>("""{"method":"heapr","calibration":{"data":"file:a.txt"},"keep":[0,3]}""").GetRawText();

        Read<PruneOptions>(options).GetRawText().ShouldBe(options);
    }

    [Fact]
    public void Parse_YamlAndJson_AreTheSame() =>
        Read<TrainOptions>("data: corpus:general\ntokens: 5M\nmix: { b: 2, a: 1 }").GetRawText()
            .ShouldBe(Read<TrainOptions>("""{"mix":{"a":1,"b":2},"tokens":"5M","data":"corpus:general"}""").GetRawText());

    [Theory]
    [InlineData("size: auto", "auto", "[]")]
    [InlineData("size: 3", "3", "[]")]
    [InlineData("size: 3\ngroups: routers", "3", """["routers"]""")]
    [InlineData("size: 3\ngroups: [routers, experts]", "3", """["routers","experts"]""")]
    public void Parse_WordForANumber_OneForAList_AreTaken(string yaml, string size, string groups)
    {
        var options = OptionReader.Parse(OptionSchema.For(typeof(ChoosyOptions)), yaml, "with").ToElement();

        options.GetProperty("size").ToString().ShouldBe(size);
        options.GetProperty("groups").GetRawText().ShouldBe(groups);
    }

    [Theory]
    [InlineData("size: automatic", "'size' must be a whole number, or auto; found 'automatic'")]
    [InlineData("size: 0", "'size' must be between 1 and 2147483647; found 0")]
    [InlineData("size: 1\ngroups: rooters", "'groups' cannot be 'rooters': did you mean 'routers'?")]
    [InlineData("size: 1\ngroups: { a: routers }", "'groups' must be one of routers, experts; found a map")]
    public void Parse_OtherWords_SayWhatIsTaken(string yaml, string expected) =>
        Should.Throw<UserInputException>(() => Read<ChoosyOptions>(yaml)).Problems.Single().ToString().ShouldContain(expected);

    [Fact]
    public void Parse_MethodOptions_AreMergedWithTheirDefaults() =>
        Read<PruneOptions>("""{"method":"heapr"}""").GetRawText().ShouldBe("""{"method":"heapr","ratio":0.25,"keep":[],"damping":0.01}""");

    [Theory]
    [InlineData("tokens: 5 GB", "1:9: 'tokens' must be a count such as 5M, 128k or 4096; 'GB' is a unit of bytes (valid: k, K, M, B, G, T); found '5 GB'")]
    [InlineData("tokens: 5 GB tokens", "'GB' is a unit of bytes")]
    [InlineData("tokens: 5M tokens", "leave out 'tokens'")]
    [InlineData("tokens: 2h", "'h' is a unit of time")]
    [InlineData("tokens: 0.5", "this one is not whole")]
    [InlineData("tokens: 1e300", "too large")]
    [InlineData("tokens: 0", "'tokens' must be at least 1; found 0")]
    [InlineData("limit: 90", "'limit' must be a length of time with a unit, such as 30s, 2h or 1h30m; found the number 90")]
    [InlineData("limit: 3h", "'limit' must be at most 7200 seconds; found 3h")]
    [InlineData("limit: 3GiB", "'GiB' is a unit of bytes")]
    [InlineData("memory: 24 parsec", "'parsec' is no unit (valid: B, kB")]
    [InlineData("schedule: cosin", "'schedule' cannot be 'cosin': did you mean 'cosine'?")]
    [InlineData("schedule: 3", "'schedule' must be one of cosine, warmup-stable-decay; found the number 3")]
    [InlineData("learning_rate: 0.1", "1:1: unknown option 'learning_rate': did you mean 'learning-rate'?")]
    [InlineData("learning-rate: fast", "'learning-rate' must be a number; found 'fast'")]
    [InlineData("learning-rate: 1.5", "'learning-rate' must be between 0 and 1; found 1.5")]
    [InlineData("learning-rate: .nan", "must be a number")]
    [InlineData("learning-rate: 1e999", "must be a number")]
    [InlineData("seed: 1.5", "'seed' must be a whole number; found the number 1.5")]
    [InlineData("seed: 3000000000", "'seed' must be between -2147483648 and 2147483647; found 3000000000")]
    [InlineData("seed:", "'seed' has no value")]
    [InlineData("seed: [1]", "'seed' must be a whole number; found a list")]
    [InlineData("data: general", "'data' must be a dataset: corpus:NAME, file:PATH, dir:PATH, jsonl:PATH")]
    [InlineData("data: ${base.data}", "'data' must be a dataset")]
    [InlineData("from: 'model:'", "'from' must be a model: model:NAME@ALIAS")]
    [InlineData("mix: { a: -1 }", "1:11: 'mix.a' must be at least 0; found -1")]
    [InlineData("mix: 3", "'mix' must be values by name (a map); found the number 3")]
    [InlineData("tokens: 5M\ntokens: 6M", "2:1: 'tokens' is already given in line 1")]
    [InlineData("{}", "'data' is missing: Text to train on.")]
    public void Parse_BadOption_NamesPlaceAndRemedy(string yaml, string expected) =>
        Problems<TrainOptions>(yaml).ShouldContain(p => p.Contains(expected), string.Join('\n', Problems<TrainOptions>(yaml)));

    [Fact]
    public void Parse_SeveralProblems_ReportsAllWithPlaces() =>
        Problems<PruneOptions>("{\n  \"method\": \"heaper\",\n  \"ratio\": 2,\n  \"calibration\": {\"sample\": 3}\n}").ShouldBe(
        [
            "with:2:13: 'method' cannot be 'heaper': did you mean 'heapr'?",
            "with:3:12: 'ratio' must be between 0 and 0.9; found 2",
            "with:4:18: 'calibration.data' is missing: Text.",
            "with:4:19: unknown option 'sample': did you mean 'samples'?",
        ]);

    [Fact]
    public void Parse_OptionOfAnotherMethod_NamesThatMethod() =>
        Problems<PruneOptions>("""{"method":"random","damping":1}""").ShouldBe(["with:1:20: option 'damping' belongs to method 'heapr', not to 'random'"]);

    [Fact]
    public void Parse_RuleOverSeveralOptions_PointsAtTheOption() =>
        Problems<PruneOptions>("ratio: 0.6\ncalibration:\n  data: corpus:x\n  samples: 5000")
            .ShouldBe(["with:4:3: at most 999 samples when the ratio is above 0.5"]);

    [Theory]
    [InlineData("{\"a\":", "This is not JSON")]
    [InlineData("{\"a\":1,\"a\":2}", "with:1:8: 'a' is given twice")]
    [InlineData("{} x", "This is not JSON")]
    [InlineData("{\"a\": \"\\ud800\"}", "This is not JSON")]
    public void Parse_BrokenJson_IsRefused(string json, string expected) =>
        Problems<TrainOptions>(json).Single().ShouldContain(expected);

    private static JsonElement Read<T>(string text) => OptionReader.Parse(OptionSchema.For(typeof(T)), text, "with", typeof(T)).ToElement();

    private static string[] Problems<T>(string text) =>
        [.. Should.Throw<UserInputException>(() => Read<T>(text)).Problems.Select(p => p.ToString())];
}
