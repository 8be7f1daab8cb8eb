namespace Espalier.Cli.Tests;

/// <summary>verify, sign and signing-key: bytes, signatures and executable receipts.</summary>
public sealed class VerifyCommandTests : IDisposable
{
    private const string Pipeline = """
        name: grow
        stages:
          grown: { uses: upcycle, with: { from: "model:tiny", method: copy, multiplier: 2, router: { method: copy-noise }, seed: 5 } }
          release: { uses: register, needs: grown, with: { name: grown, alias: candidate } }
        """;

    private readonly CliRun _cli = new();

    public void Dispose() => _cli.Dispose();

    [Fact]
    public async Task Verify_RerunOfAGrownModel_DerivesTheSameRoot()
    {
        await GrowAsync();

        (await _cli.CallAsync("verify", "grown@candidate", "--rerun", "--json")).ShouldBe(0, _cli.Error);

        _cli.Json.GetProperty("ok").GetBoolean().ShouldBeTrue();
        var again = _cli.Json.GetProperty("rerun");
        again.GetProperty("stage").GetString().ShouldBe("upcycle");
        again.GetProperty("equal").GetBoolean().ShouldBeTrue();
        again.GetProperty("derived").GetString().ShouldBe(_cli.Json.GetProperty("root").GetString());
        again.GetProperty("tensors").GetInt32().ShouldBeGreaterThan(50);
        again.GetProperty("notes").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task Verify_RerunWithAForgedReceipt_NamesTheTensorsThatDiffer()
    {
        await GrowAsync();
        foreach (var receipt in Directory.EnumerateFiles(_cli.PathOf("home/store/records/receipts")))
            await File.WriteAllTextAsync(receipt, (await File.ReadAllTextAsync(receipt)).Replace("\"seed\":5", "\"seed\":6", StringComparison.Ordinal));

        (await _cli.CallAsync("verify", "grown", "--rerun", "--json")).ShouldBe(ExitCodes.Failed, _cli.Error);

        var again = _cli.Json.GetProperty("rerun");
        again.GetProperty("equal").GetBoolean().ShouldBeFalse();
        again.GetProperty("different")
            .EnumerateArray()
            .Select(d => d.GetString())
            .ShouldBe(["model.layers.0.mlp.gate.weight", "model.layers.1.mlp.gate.weight"]);
    }

    [Fact]
    public async Task Verify_RerunOfAnImport_SaysThatThereIsNoStep()
    {
        (await _cli.CallAsync("import", TinyModel.Write(_cli.PathOf("in")), "--name", "tiny")).ShouldBe(0, _cli.Error);

        (await _cli.CallAsync("verify", "tiny@1", "--rerun")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("was imported: there is no step to do again");
    }

    [Fact]
    public async Task Sign_WithATrustedKey_CountsInVerify()
    {
        (await _cli.CallAsync("import", TinyModel.Write(_cli.PathOf("in")), "--name", "tiny", "--json")).ShouldBe(0, _cli.Error);
        var root = _cli.Json.GetProperty("root").GetString();
        (await _cli.CallAsync("signing-key", "create", _cli.PathOf("me.pem"))).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync("signing-key", "trust", _cli.PathOf("me.pem.pub"), "--name", "me")).ShouldBe(0, _cli.Error);

        (await _cli.CallAsync("sign", "tiny@1", "--key", _cli.PathOf("me.pem"), "--json")).ShouldBe(0, _cli.Error);
        _cli.Json.GetProperty("trusted-as").GetString().ShouldBe("me");
        (await _cli.CallAsync("verify", "tiny@1", "--json")).ShouldBe(0, _cli.Error);

        _cli.Json.GetProperty("root").GetString().ShouldBe(root);
        (_cli.Json.GetProperty("signatures").GetInt32(), _cli.Json.GetProperty("trusted").GetInt32()).ShouldBe((1, 1));
        if (!OperatingSystem.IsWindows())
            File.GetUnixFileMode(_cli.PathOf("me.pem")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    private async Task GrowAsync()
    {
        (await _cli.CallAsync("import", TinyModel.Write(_cli.PathOf("in")), "--name", "tiny")).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync("run", _cli.Write("grow.yaml", Pipeline))).ShouldBe(0, _cli.Error);
    }
}
