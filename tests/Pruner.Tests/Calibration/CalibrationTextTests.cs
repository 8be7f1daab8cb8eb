using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Surgery.Calibration;
using Espalier.TestKit.Models;
using Espalier.Tokenizers;

namespace Espalier.Pruner.Tests.Calibration;

/// <summary>How calibration text becomes tokens: which tokenizer, and whether documents begin with a token of their own.</summary>
public sealed class CalibrationTextTests
{
    [Theory]
    [InlineData(BosUse.Tokenizer, true)]
    [InlineData(BosUse.Always, true)]
    [InlineData(BosUse.Never, false)]
    public async Task LoadAsync_TokenizerThatBegins_PutsTheTokenBeforeEachDocumentAndSaysSo(BosUse use, bool adds)
    {
        var files = new Dictionary<string, byte[]>(ByteLevelBpe.OfBytes().Files)
        {
            ["tokenizer_config.json"] = """
                {"tokenizer_class":"LlamaTokenizer","bos_token":"<s>","eos_token":"<|endoftext|>",
                 "added_tokens_decoder":{"257":{"content":"<s>","special":true}}}
                """u8.ToArray(),
        };
        using var tiny = await TinyCheckpoint.CreateAsync(files: files);

        var tokens = await LoadAsync(tiny, new CalibrationOptions { Data = "file:words", Samples = 64, Length = 128, Bos = use });

        var ids = tokens.Rows(0, tokens.Samples).Cast<long>().ToList();
        ids.Contains(257).ShouldBe(adds);
        if (adds)
            ids.Zip(ids.Skip(1)).Where(pair => pair.First == 256).ShouldContain(pair => pair.Second == 257);
        var report = (JsonObject)tokens.ToJson()["bos"]!;
        ((bool)report["added"]!, (int)report["token-id"]!).ShouldBe((adds, 257));
    }

    [Fact]
    public async Task LoadAsync_ModelWithoutTokenizer_TakesBytesOnlyWhenTheyAreAskedFor()
    {
        using var tiny = await TinyCheckpoint.CreateAsync(files: new Dictionary<string, byte[]>());
        using var whole = await TinyCheckpoint.CreateAsync();
        var options = new CalibrationOptions { Data = "file:words", Samples = 4, Length = 32 };

        (await Should.ThrowAsync<UserInputException>(() => LoadAsync(tiny, options))).Message.ShouldContain("'tokenizer: bytes'");
        var bytes = await LoadAsync(tiny, options with { Tokenizer = TokenizerChoice.Bytes });

        bytes.Rows(0, 4).ShouldBe((await LoadAsync(whole, options)).Rows(0, 4));
    }

    private static async Task<CalibrationTokens> LoadAsync(TinyCheckpoint tiny, CalibrationOptions options)
    {
        if (tiny.Inputs.Count == 1)
            await tiny.AddCalibrationAsync();
        var model = await tiny.OpenAsync(tiny.Model);
        return await new CalibrationText(tiny.Context("{}"), model.Reader, model.Config, options, seed: 1).LoadAsync(default);
    }
}
