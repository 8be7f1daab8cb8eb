namespace Espalier.Cli.Tests;

/// <summary>gc and promote.</summary>
public sealed class GcAndPromoteCommandTests : IDisposable
{
    private readonly CliRun _cli = new();

    public void Dispose() => _cli.Dispose();

    [Fact]
    public async Task Gc_DryRun_SaysWhatIsNeeded_AndTouchesNothing()
    {
        (await _cli.CallAsync("import", TinyModel.Write(_cli.PathOf("in")), "--name", "tiny")).ShouldBe(0, _cli.Error);

        (await _cli.CallAsync("gc", "--dry-run", "--json")).ShouldBe(0, _cli.Error);

        _cli.Json.GetProperty("dry-run").GetBoolean().ShouldBeTrue();
        _cli.Json.GetProperty("registered-bytes").GetInt64().ShouldBeGreaterThan(10_000);
        _cli.Json.GetProperty("deleted-blobs").GetInt32().ShouldBe(0);
        (await _cli.CallAsync("verify", "tiny@1")).ShouldBe(0, _cli.Error);
    }

    [Fact]
    public async Task Promote_ThenRevert_GoesBack()
    {
        (await _cli.CallAsync("import", TinyModel.Write(_cli.PathOf("a")), "--name", "tiny")).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync("import", TinyModel.Write(_cli.PathOf("b"), hidden: 32), "--name", "tiny")).ShouldBe(0, _cli.Error);

        (await _cli.CallAsync("promote", "tiny@1", "champion")).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync("promote", "tiny@2", "champion", "--reason", "wider", "--json")).ShouldBe(0, _cli.Error);
        _cli.Json.GetProperty("previous").GetInt32().ShouldBe(1);
        (await _cli.CallAsync("promote", "tiny@champion", "--revert", "--json")).ShouldBe(0, _cli.Error);

        (_cli.Json.GetProperty("version").GetInt32(), _cli.Json.GetProperty("kind").GetString()).ShouldBe((1, "reverted"));
    }
}
