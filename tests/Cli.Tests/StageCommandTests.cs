using System.Text.Json;

namespace Espalier.Cli.Tests;

/// <summary>Stages on a directory, as scripts call them.</summary>
public sealed class StageCommandTests : IDisposable
{
    private readonly CliRun _cli = new();
    private readonly string _model;
    private readonly string _text;

    public StageCommandTests()
    {
        _model = TinyModel.Write(_cli.PathOf("in"));
        _text = _cli.Write(
            "text.txt",
            string.Join(
                "\n\n",
                Enumerable.Range(0, 400).Select(i => $"Paragraph {i} says that {i} plus {i} is {2 * i}, and that the word number {i % 17} comes next.")));
    }

    public void Dispose() => _cli.Dispose();

    [Fact]
    public async Task Upcycle_Copy_DoublesExperts()
    {
        (await StageAsync("upcycle", """{"method":"copy","multiplier":2,"router":{"method":"copy-noise"},"seed":1}""")).ShouldBe(0, _cli.Error);

        Config().GetProperty("num_experts").GetInt32().ShouldBe(8);
        Config().GetProperty("num_experts_per_tok").GetInt32().ShouldBe(2);
        _cli.Json.GetProperty("changes").GetProperty("config").GetProperty("num_experts").GetString().ShouldBe("4 -> 8");
        LeftOvers().ShouldBeEmpty();
    }

    [Fact]
    public async Task Upcycle_SpellingOfScripts_IsAccepted() =>
        (await StageAsync(
            "upcycle",
            """{"method":"utility","metric":"weight-norm","combine":"fc1-only","selection":"greedy","max-copies":3"""
                + ""","multiplier":2,"router":{"method":"copy"},"optimizer-state":"reset","seed":1}"""))
            .ShouldBe(0, _cli.Error);

    [Fact]
    public async Task Prune_Heapr_NarrowsExperts()
    {
        (await StageAsync(
            "prune",
            Calibrated("""{"method":"heapr","ratio":0.25,"multiple-of":2,"calibration":{CALIBRATION},"seed":1}"""))).ShouldBe(0, _cli.Error);

        Config().GetProperty("intermediate_size").GetInt32().ShouldBe(6);
    }

    [Fact]
    public async Task Quantize_Gptq_MakesItSmaller()
    {
        (await StageAsync(
            "quantize",
            Calibrated("""{"method":"gptq","bits":4,"group-size":8,"symmetric":true,"calibration":{CALIBRATION},"seed":1}"""))).ShouldBe(0, _cli.Error);

        var changes = _cli.Json.GetProperty("changes");
        changes.GetProperty("bytes").GetInt64().ShouldBeLessThan(changes.GetProperty("bytes-before").GetInt64());
    }

    [Fact]
    public async Task Evaluate_WritesReportAndMetrics()
    {
        (await StageAsync("evaluate", $$"""{"tasks":["validation-loss","routing"],"data":"file:{{_text}}","length":64}""")).ShouldBe(0, _cli.Error);

        _cli.Json.GetProperty("metrics").GetProperty("model.loss").GetDouble().ShouldBeInRange(4, 7);
        File.Exists(_cli.PathOf("out/report.json")).ShouldBeTrue();
    }

    [Fact]
    public async Task Train_SpellingOfScripts_LowersTheLoss()
    {
        (await StageAsync(
            "train",
            $$"""{"data":"file:{{_text}}","tokens":"20k","length":64,"batch":8,"learning-rate":3e-3"""
                + ""","schedule":"wsd","balance":"loss-free","precision":"fp32","seed":1}"""))
            .ShouldBe(0, _cli.Error);

        var history = _cli.Json.GetProperty("report").GetProperty("history").EnumerateArray().Select(h => h.GetProperty("loss").GetDouble()).ToList();
        history[^1].ShouldBeLessThan(history[0] - 0.5);
        File.Exists(_cli.PathOf("out/model.safetensors")).ShouldBeTrue();
    }

    [Fact]
    public async Task Train_TeacherInAFolder_IsLearntFrom()
    {
        TinyModel.Write(_cli.PathOf("big"), hidden: 32, width: 24);

        (await StageAsync(
            "train",
            $$$"""{"data":"file:{{{_text}}}","tokens":"1k","length":64,"batch":8,"teacher":"{{{_cli.PathOf("big")}}}","distill":{"weight":0.9}}"""))
            .ShouldBe(0, _cli.Error);

        _cli.Json.GetProperty("metrics").GetProperty("divergence").GetDouble().ShouldBeGreaterThan(0);
    }

    [Theory]
    [InlineData("""{"teacher":"nowhere"}""", "'teacher': there is no folder nowhere")]
    [InlineData("""{"teacher":"model:nothing@1"}""", "the registry has no model:nothing@1")]
    [InlineData("""{"distill":{"weight":0.5}}""", "there is none: name one in 'teacher'")]
    [InlineData("""{"teacher":"nowhere","distill":{"weight":2}}""", "'distill.weight' must be")]
    [InlineData("""{"validate":{"split":"train"}}""", "'validate.split' cannot be 'train'")]
    [InlineData("""{"max-rise":0.5}""", "write a number above 1")]
    [InlineData("""{"balance-scope":"global"}""", "write 'balance: loss' beside it")]
    [InlineData("""{"stable":true,"schedule":"cosine"}""", "write 'schedule: wsd'")]
    [InlineData("""{"elastic":{"least":3,"most":2}}""", "write the smaller number in 'least'")]
    [InlineData("""{"elastic":{"least":1,"most":2},"top-p":0.5}""", "leave one of them out")]
    [InlineData("""{"dropout":1}""", "'dropout' must be")]
    [InlineData("""{"sparsify":{}}""", "'sparsify.to'")]
    [InlineData("""{"sparsify":{"to":0.5,"from-share":0.8}}""", "write the smaller number in 'from-share'")]
    [InlineData("""{"sparsify":{"to":0.5,"granularity":"neuron","weights":"matrices"}}""", "write 'weights: experts'")]
    public async Task Train_BadWaysToLearnAndWatch_AreRefused(string options, string expected)
    {
        var all = $$"""{"data":"file:{{_text}}","tokens":"1k","length":64,{{options[1..]}}""";

        (await StageAsync("train", all)).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain(expected);
    }

    [Theory]
    [InlineData("keep", "OlmoeForCausalLM has no place for this model's selection bias")]
    [InlineData("fold", null)]
    public async Task StageAndExport_WhatOtherLoadersCannotRun_StandsInTheNotes(string end, string? expected)
    {
        (await StageAsync(
            "train",
            $$"""{"data":"file:{{_text}}","tokens":"2k","length":64,"batch":8,"balance":"loss-free","selection-bias":"{{end}}","seed":1}"""))
            .ShouldBe(0, _cli.Error);
        Notes().Any(note => note.Contains("has no place for", StringComparison.Ordinal)).ShouldBe(expected is not null);

        (await _cli.CallAsync("import", _cli.PathOf("out"), "--name", "tiny", "--json")).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync("export", "tiny", _cli.PathOf("exported"), "--json")).ShouldBe(0, _cli.Error);

        Notes().Count.ShouldBe(expected is null ? 0 : 1);
        Notes().ShouldAllBe(note => note.Contains(expected!, StringComparison.Ordinal));

        List<string> Notes() => [.. _cli.Json.GetProperty("notes").EnumerateArray().Select(note => note.GetString()!)];
    }

    [Fact]
    public async Task Stage_SeveralWrongOptions_AreAllReported()
    {
        (await StageAsync("prune", """{"method":"heaper","ratio":2,"sed":1}""")).ShouldBe(ExitCodes.BadInput);

        var messages = _cli.Json.GetProperty("problems").EnumerateArray().Select(p => p.GetProperty("message").GetString()).ToList();
        messages.ShouldContain(m => m!.Contains("did you mean 'heapr'?"));
        messages.ShouldContain(m => m!.Contains("'ratio' must be between"));
        messages.ShouldContain(m => m!.Contains("did you mean 'seed'?"));
        Directory.Exists(_cli.PathOf("out")).ShouldBeFalse();
    }

    [Fact]
    public async Task Stage_OutputExists_IsLeftAlone()
    {
        Directory.CreateDirectory(_cli.PathOf("out"));
        _cli.Write("out/mine.txt", "keep me");

        (await StageAsync("upcycle", """{"method":"copy"}""")).ShouldBe(ExitCodes.BadInput);

        File.ReadAllText(_cli.PathOf("out/mine.txt")).ShouldBe("keep me");
    }

    [Fact]
    public async Task Stage_OutputCannotBeMade_IsRefusedBeforeTheWork()
    {
        (await _cli.CallAsync(
            "stage", "upcycle", "--input", _model, "--output", Path.Combine(_text, "out"), "--with",
            """{"method":"copy"}""")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("text.txt is not a folder");
        Directory.Exists(_cli.PathOf("home/work")).ShouldBeFalse();
    }

    [Fact]
    public async Task Stage_ShapeContradictsConfig_NamesFolderAndTensor()
    {
        var config = File.ReadAllText(Path.Combine(_model, "config.json"));
        File.WriteAllText(Path.Combine(_model, "config.json"), config.Replace("\"vocab_size\":260", "\"vocab_size\":999", StringComparison.Ordinal));

        (await StageAsync("upcycle", """{"method":"copy","multiplier":2}""")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain(_model);
        _cli.Error.ShouldContain("tensor 'lm_head.weight' has shape [260, 16]; config.json calls for [999, 16]");
        Directory.Exists(_cli.PathOf("out")).ShouldBeFalse();
        Directory.EnumerateFileSystemEntries(_cli.PathOf("home/work")).ShouldBeEmpty();
    }

    [Fact]
    public async Task Stage_MissingText_NamesThePath()
    {
        (await StageAsync("evaluate", """{"tasks":["validation-loss"],"data":"file:nowhere.txt"}""")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("nowhere.txt");
        LeftOvers().ShouldBeEmpty();
    }

    private Task<int> StageAsync(string kind, string with) =>
        _cli.CallAsync("stage", kind, "--input", _model, "--output", _cli.PathOf("out"), "--with", with, "--json");

    private string Calibrated(string options) =>
        options.Replace("{CALIBRATION}", $$"""{"data":"file:{{_text}}","samples":16,"length":32}""", StringComparison.Ordinal);

    private JsonElement Config() => JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(_cli.PathOf("out/config.json")));

    private IEnumerable<string> LeftOvers() => Directory.EnumerateFileSystemEntries(_cli.Folder, ".*");
}
