using Dapper;
using Espalier.Contracts;
using Espalier.Registry.Signing;
using Espalier.Registry;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Cli.Tests;

/// <summary>import and export against a registry on another address.</summary>
public sealed class RemoteModelTests : IAsyncLifetime
{
    private readonly CliRun _cli = new();
    private RegistryServer _server = null!;
    private string[] _remote = [];

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync();
        _remote = ["--server", _server.Address.ToString(), "--key", RegistryServer.Submitter];
    }

    public async Task DisposeAsync()
    {
        _cli.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Import_ToAServer_SendsOnlyWhatItLacks_AndExportGivesItBack()
    {
        var source = TinyModel.Write(_cli.PathOf("in"));

        (await _cli.CallAsync(["import", source, "--name", "tiny", "--json", .. _remote])).ShouldBe(0, _cli.Error);
        var (root, sent) = (_cli.Json.GetProperty("root").GetString(), _cli.Json.GetProperty("sent-bytes").GetInt64());
        (await _cli.CallAsync(["import", source, "--name", "again", "--json", .. _remote])).ShouldBe(0, _cli.Error);
        (sent > 0, _cli.Json.GetProperty("sent-bytes").GetInt64()).ShouldBe((true, 0));
        (await _cli.CallAsync(["export", "tiny@1", _cli.PathOf("out"), "--json", .. _remote])).ShouldBe(0, _cli.Error);

        _cli.Json.GetProperty("root").GetString().ShouldBe(root);
        File.Delete(_cli.PathOf("out/README.md")); // the card
        (await _cli.CallAsync("import", _cli.PathOf("out"), "--name", "back", "--json")).ShouldBe(0, _cli.Error);
        _cli.Json.GetProperty("root").GetString().ShouldBe(root);
    }

    [Fact]
    public async Task Export_AfterABreak_GoesOnWhereItWas()
    {
        (await _cli.CallAsync(["import", TinyModel.Write(_cli.PathOf("in")), "--name", "tiny", "--json", .. _remote])).ShouldBe(0, _cli.Error);
        var root = _cli.Json.GetProperty("root").GetString()!;
        (await _cli.CallAsync(["export", "tiny", _cli.PathOf("whole"), .. _remote])).ShouldBe(0, _cli.Error);
        var bytes = await File.ReadAllBytesAsync(_cli.PathOf("whole/model.safetensors"));
        Directory.CreateDirectory(_cli.PathOf($"out.{root[..12]}.partial"));
        await File.WriteAllBytesAsync(_cli.PathOf($"out.{root[..12]}.partial/model.safetensors"), bytes[..(bytes.Length / 2)]);

        (await _cli.CallAsync(["export", "tiny", _cli.PathOf("out"), .. _remote])).ShouldBe(0, _cli.Error);

        (await File.ReadAllBytesAsync(_cli.PathOf("out/model.safetensors"))).ShouldBe(bytes);
    }

    [Fact]
    public async Task Export_SignedBy_WritesOnlyWhatThatKeySigned()
    {
        (await _cli.CallAsync(["import", TinyModel.Write(_cli.PathOf("in")), "--name", "tiny", "--json", .. _remote])).ShouldBe(0, _cli.Error);
        var version = (await _server.Registry.FindAsync("tiny", 1, default))!;
        foreach (var name in new[] { "mine", "other" })
            (await _cli.CallAsync("signing-key", "create", _cli.PathOf(name))).ShouldBe(0, _cli.Error);
        using (var mine = SigningKey.Parse(await File.ReadAllTextAsync(_cli.PathOf("mine"))))
            await _server.Get<Signatures>().AddAsync(version, mine.PublicPem, Convert.ToBase64String(mine.Sign(version.Root)), "tester", default);

        (await _cli.CallAsync(["export", "tiny@1", _cli.PathOf("no"), "--signed-by", _cli.PathOf("other.pub"), .. _remote])).ShouldBe(ExitCodes.Failed);
        _cli.Error.ShouldContain("is not signed by key");
        Directory.Exists(_cli.PathOf("no")).ShouldBeFalse();
        (await _cli.CallAsync(["export", "tiny@1", _cli.PathOf("yes"), "--signed-by", _cli.PathOf("mine.pub"), .. _remote])).ShouldBe(0, _cli.Error);
    }

    [Fact]
    public async Task Export_SignatureThatDoesNotFit_WritesNothing()
    {
        (await _cli.CallAsync(["import", TinyModel.Write(_cli.PathOf("in")), "--name", "tiny", "--json", .. _remote])).ShouldBe(0, _cli.Error);
        var version = (await _server.Registry.FindAsync("tiny", 1, default))!;
        using var key = SigningKey.Create();
        await _server.Get<Signatures>().AddAsync(version, key.PublicPem, Convert.ToBase64String(key.Sign(version.Root)), "tester", default);
        await using (var connection = await _server.Get<RegistryDatabase>().OpenAsync(default))
            await connection.ExecuteAsync("update registry_signature set signature = @other", new { other = Convert.ToBase64String(key.Sign(Digest.Of([1]))) });

        (await _cli.CallAsync(["export", "tiny@1", _cli.PathOf("out"), .. _remote])).ShouldBe(ExitCodes.Failed);

        _cli.Error.ShouldContain("does not match tiny@1");
        Directory.Exists(_cli.PathOf("out")).ShouldBeFalse();
    }

    [Fact]
    public async Task Export_DamagedOnTheWay_IsNoticed()
    {
        (await _cli.CallAsync(["import", TinyModel.Write(_cli.PathOf("in")), "--name", "tiny", "--json", .. _remote])).ShouldBe(0, _cli.Error);
        var root = _cli.Json.GetProperty("root").GetString()!;
        (await _cli.CallAsync(["export", "tiny", _cli.PathOf("whole"), .. _remote])).ShouldBe(0, _cli.Error);
        var bytes = await File.ReadAllBytesAsync(_cli.PathOf("whole/model.safetensors"));
        bytes[^5] ^= 1;
        Directory.CreateDirectory(_cli.PathOf($"out.{root[..12]}.partial"));
        await File.WriteAllBytesAsync(_cli.PathOf($"out.{root[..12]}.partial/model.safetensors"), bytes[..^2]);

        (await _cli.CallAsync(["export", "tiny", _cli.PathOf("out"), .. _remote])).ShouldBe(ExitCodes.Failed);

        _cli.Error.ShouldContain("was damaged on the way");
        Directory.Exists(_cli.PathOf("out")).ShouldBeFalse();
    }
}
