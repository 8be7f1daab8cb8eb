using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Espalier.Contracts;
using Espalier.Platform;

namespace Espalier.Cli.Tests;

/// <summary>Refused input ends with exit code 2, within seconds, and with its true reason.</summary>
public sealed class RefusalTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);
    private readonly CliRun _cli = new();

    public void Dispose() => _cli.Dispose();

    [Theory]
    [InlineData("DIR is empty", "import", "", "--name", "x")]
    [InlineData("--name is empty", "import", "DIR", "--name", " ")]
    [InlineData("cannot be a model name", "import", "MODEL", "--name", "no good")]
    [InlineData("cannot be an alias", "import", "MODEL", "--name", "good", "--alias", "no good")]
    [InlineData("no such directory", "import", "NOTHING", "--name", "x")]
    [InlineData("is not the address of a server", "import", "MODEL", "--name", "x", "--server", "nowhere", "--key", "k")]
    [InlineData("This is not an API key", "import", "MODEL", "--name", "x", "--server", "http://127.0.0.1:1", "--key", "k e y")]
    [InlineData("There is no model", "export", "none@1", "OUT")]
    [InlineData("holds none yet", "export", "ROOT", "OUT")]
    [InlineData("--shard-size must be", "export", "none", "OUT", "--shard-size", "much")]
    [InlineData("No model 'none@1'", "verify", "none@1")]
    [InlineData("there is no such key file", "export", "none", "OUT", "--signed-by", "NOTHING")]
    [InlineData("is a folder; name a file", "run", "DIR")]
    [InlineData("FILE", "plan", "FILE/p.yaml")]
    [InlineData("there is no such folder", "stage", "prune", "--input", "NOTHING", "--output", "OUT")]
    [InlineData("is not a folder", "stage", "train", "--output", "FILE/out", "--with", "{}")]
    [InlineData("unknown stage", "stage", "shrink", "--input", "MODEL", "--output", "OUT")]
    [InlineData("unknown stage", "schema", "shrink")]
    [InlineData("holds nothing yet", "gc")]
    [InlineData("holds nothing yet", "fsck")]
    [InlineData("holds nothing yet", "repair")]
    [InlineData("No model 'none@1'", "sign", "none@1", "--key", "NOTHING")]
    [InlineData("FILE", "signing-key", "create", "FILE/below/key.pem")]
    [InlineData("expected seconds, at least 1", "up", "--timeout", "-5")]
    [InlineData("expected KIND=N", "up", "--workers", "train")]
    [InlineData("expected a number of lines", "logs", "--lines", "-3")]
    [InlineData("needs a platform", "submit", "FILE")]
    [InlineData("needs a platform", "submit", "nightly", "--param", "seed=3")]
    [InlineData("'name' is missing: the pipeline is kept under it", "pipelines", "add", "FILE")]
    [InlineData("needs a platform", "pipelines", "remove", "nightly")]
    [InlineData("needs a platform", "trigger", "test", "nightly", "--last", "200")]
    [InlineData("needs a platform", "cancel", "123")]
    [InlineData("There is no command 'espalier shrink': valid are", "shrink")]
    [InlineData("--limit 0: expected a number of runs, 1 to 1000.", "runs", "--limit", "0")]
    [InlineData("There is no command 'espalier sumbit': did you mean 'submit'? See espalier --help.", "sumbit", "FILE")]
    [InlineData("There is no command 'espalier context lst': did you mean 'list'? See espalier context --help.", "context", "lst")]
    [InlineData("espalier context needs a command: list, use, add, remove. See espalier context --help.", "context")]
    [InlineData("Argument 'tcsh' not recognized", "completion", "tcsh")]
    public async Task Command_WithInputThatCannotBeMeant_IsRefusedWithItsReason(string reason, params string[] args)
    {
        _cli.Write("FILE", "text");
        Directory.CreateDirectory(_cli.PathOf("DIR"));
        TinyModel.Write(_cli.PathOf("MODEL"));
        var clock = Stopwatch.StartNew();

        var code = await _cli.CallAsync([.. args.Select(Place)]);

        (code, _cli.Error).ShouldBe((ExitCodes.BadInput, _cli.Error));
        _cli.Error.ShouldContain(reason is "FILE" ? _cli.PathOf("FILE") : reason);
        clock.Elapsed.ShouldBeLessThan(Limit);
    }

    [Fact]
    public async Task Import_ToARegistryThatIsNotThere_FailsBeforeAnythingIsRead()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();

        (await _cli.CallAsync("import", TinyModel.Write(_cli.PathOf("in")), "--name", "x", "--server", $"http://127.0.0.1:{port}", "--key", "k"))
            .ShouldBe(ExitCodes.Failed);

        _cli.Error.ShouldContain("does not answer");
        Directory.Exists(_cli.PathOf("home/store")).ShouldBeFalse();
    }

    // Kernel file systems refuse every new file, to root as well.
    [Theory]
    [InlineData("/sys")]
    [InlineData("/sys/espalier")]
    [InlineData("/proc/espalier")]
    public async Task Home_ThatCannotBeWritten_IsNamedWithTheTrueReason(string home)
    {
        var before = Environment.GetEnvironmentVariable("ESPALIER_HOME");
        Environment.SetEnvironmentVariable("ESPALIER_HOME", home);
        try
        {
            (await _cli.CallAsync("import", TinyModel.Write(_cli.PathOf("in")), "--name", "x")).ShouldBe(ExitCodes.BadInput);

            _cli.Error.ShouldContain($"{home} cannot be ");
            _cli.Error.ShouldContain("Set ESPALIER_HOME to a folder that can be written");
            _cli.Error.ShouldNotContain("Another espalier process");
            _cli.Error.ShouldNotContain("SQLite");
        }
        finally
        {
            Environment.SetEnvironmentVariable("ESPALIER_HOME", before);
        }
    }

    [Fact]
    public void Claim_WhileAnotherHoldsIt_SaysThat()
    {
        var home = new EspalierHome(_cli.PathOf("home")).Create();
        using var first = home.Claim();

        Should.Throw<UserInputException>(() => home.Claim()).Message.ShouldContain("Another espalier process works in");
        Directory.GetFiles(home.Path).Select(Path.GetFileName).ShouldBe(["in-use"]); // no probe is left
    }

    [Fact]
    public void Explain_ErrorOfLibTorch_IsOneLine()
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        var error = Should.Throw<System.Runtime.InteropServices.ExternalException>(() => TorchSharp.torch.zeros(2).add(TorchSharp.torch.zeros(3)));

        error.Message.ShouldContain('\n');
        Refusals.Explain(error).ShouldStartWith("The tensor engine failed: The size of tensor a (2) must match the size of tensor b (3)");
        Refusals.Explain(error).ShouldNotContain('\n');
        Refusals.Explain(new System.Net.Sockets.SocketException(111)).ShouldNotContain("tensor engine");
    }

    [Fact]
    public async Task Database_ThatIsNotOne_IsNamed()
    {
        Directory.CreateDirectory(_cli.PathOf("home"));
        await File.WriteAllTextAsync(_cli.PathOf("home/espalier.db"), string.Concat(Enumerable.Repeat("not a database. ", 100)));

        (await _cli.CallAsync("models")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain($"{_cli.PathOf("home/espalier.db")} is damaged or is not a database of ours");
    }

    private string Place(string text) => text switch
    {
        "ROOT" => new string('a', 64),
        "FILE" or "DIR" or "MODEL" or "OUT" or "NOTHING" => _cli.PathOf(text),
        _ when text.StartsWith("FILE/", StringComparison.Ordinal) => _cli.PathOf(text),
        _ => text,
    };
}
