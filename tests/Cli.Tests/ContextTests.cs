using Espalier.Registry.Gates;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Cli.Tests;

/// <summary>Where commands work: the same command, in this home and on a registry server.</summary>
public sealed class ContextTests : IAsyncLifetime
{
    private const string Local = "local", Remote = "there", Nowhere = "http://127.0.0.1:9";
    private readonly CliRun _cli = new();
    private RegistryServer _server = null!;

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync();
        await DoAsync("context", "add", Remote, "--orchestrator", Nowhere, "--registry", _server.Address.ToString(), "--key", RegistryServer.Admin);
    }

    public async Task DisposeAsync()
    {
        foreach (var name in new[] { "ESPALIER_CONTEXT", "ESPALIER_SERVER", "ESPALIER_REGISTRY", "ESPALIER_KEY" })
            Environment.SetEnvironmentVariable(name, null);
        _cli.Dispose();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData(Local)]
    [InlineData(Remote)]
    public async Task ModelCommands_InEitherContext_DoTheSame(string context)
    {
        await DoAsync("context", "use", context);

        await DoAsync("import", TinyModel.Write(_cli.PathOf("a")), "--name", "tiny", "--alias", "base");
        await DoAsync("import", TinyModel.Write(_cli.PathOf("b"), hidden: 32), "--name", "tiny");
        await DoAsync("models", "tiny", "--json");
        var models = _cli.Json.GetProperty("models").EnumerateArray().Select(m => m.GetProperty("version").GetInt32());
        models.ShouldBe([2, 1]);
        await DoAsync("promote", "tiny@2", "champion", "--reason", "wider", "--json");
        _cli.Json.GetProperty("version").GetInt32().ShouldBe(2);
        await DoAsync("promote", "tiny@1", "champion");
        await DoAsync("promote", "tiny@champion", "--revert", "--json");
        (_cli.Json.GetProperty("version").GetInt32(), _cli.Json.GetProperty("kind").GetString()).ShouldBe((2, "reverted"));
        await DoAsync("aliases", "tiny", "--json");
        var aliases = _cli.Json.GetProperty("aliases");
        (aliases.GetProperty("base").GetInt32(), aliases.GetProperty("champion").GetInt32()).ShouldBe((1, 2));
        _cli.Json.GetProperty("moves").GetArrayLength().ShouldBe(4);
        await DoAsync("aliases", "tiny", "--remove", "base", "--json");
        _cli.Json.GetProperty("aliases").TryGetProperty("base", out _).ShouldBeFalse();
        await DoAsync("tags", "tiny@champion", "reviewed=yes", "data=wiki", "--json");
        await DoAsync("tags", "tiny@2", "--remove", "data", "--json");
        _cli.Json.GetProperty("tags").EnumerateObject().Select(t => $"{t.Name}={t.Value}").ShouldBe(["reviewed=yes"]);
        await DoAsync("tags", "tiny", "team=a", "--json");
        _cli.Json.GetProperty("tags").GetProperty("team").GetString().ShouldBe("a");

        await DoAsync("diff", "tiny@1", "tiny@champion", "--json");
        _cli.Json.GetProperty("config").EnumerateArray().Select(c => c.GetProperty("path").GetString()).ShouldContain("hidden_size");
        await DoAsync("diff", "tiny@1", "tiny@2");
        _cli.Output.ShouldContain("hidden_size");

        await DoAsync("signing-key", "create", _cli.PathOf("key.pem"));
        await DoAsync("signing-key", "trust", _cli.PathOf("key.pem.pub"), "--name", "me", "--json");
        var id = _cli.Json.GetProperty("key-id").GetString()!;
        await DoAsync("sign", "tiny@2", "--key", _cli.PathOf("key.pem"), "--json");
        _cli.Json.GetProperty("trusted-as").GetString().ShouldBe("me");
        await DoAsync("verify", "tiny@2", "--json");
        (_cli.Json.GetProperty("ok").GetBoolean(), _cli.Json.GetProperty("trusted").GetInt32()).ShouldBe((true, 1));
        await DoAsync("signing-key", "distrust", id);
        await DoAsync("signing-key", "list", "--json");
        _cli.Json.GetProperty("keys").GetArrayLength().ShouldBe(0);
        await DoAsync("gc", "--dry-run", "--json");
        _cli.Json.GetProperty("registered-bytes").GetInt64().ShouldBeGreaterThan(10_000);
        await DoAsync("export", "tiny@champion", _cli.PathOf("out"));

        // It really was that one, and only that one.
        (await _server.Registry.ListAsync(null, 10, default)).Count.ShouldBe(context == Remote ? 2 : 0);
        await DoAsync("models", "--context", Local, "--json");
        _cli.Json.GetProperty("models").GetArrayLength().ShouldBe(context == Local ? 2 : 0);
    }

    [Fact]
    public async Task Command_InAContextThatIsNotLocal_NamesItFirst()
    {
        await DoAsync("models", "--context", Remote);
        _cli.Error.Split('\n')[0].ShouldBe($"On context {Remote} ({_server.Address.ToString().TrimEnd('/')}):");

        await DoAsync("models");
        _cli.Error.ShouldBeEmpty();
    }

    [Fact]
    public async Task Choice_OptionThenVariableThenSelection()
    {
        await DoAsync("import", TinyModel.Write(_cli.PathOf("a")), "--name", "tiny"); // here only
        Environment.SetEnvironmentVariable("ESPALIER_CONTEXT", Remote);

        (await CountAsync()).ShouldBe(0);
        (await CountAsync("--context", Local)).ShouldBe(1);
        Environment.SetEnvironmentVariable("ESPALIER_CONTEXT", null);
        (await CountAsync()).ShouldBe(1);
        Environment.SetEnvironmentVariable("ESPALIER_SERVER", Nowhere); // the key is known from the context that has this address
        Environment.SetEnvironmentVariable("ESPALIER_REGISTRY", _server.Address.ToString());
        (await CountAsync()).ShouldBe(0);
        Environment.SetEnvironmentVariable("ESPALIER_REGISTRY", null);
        (await _cli.CallAsync("models")).ShouldBe(ExitCodes.BadInput);
        _cli.Error.ShouldContain("set ESPALIER_REGISTRY");
    }

    [Fact]
    public async Task List_ShowsAddresses_AndNoKey_AndTheFileIsPrivate()
    {
        await DoAsync("context", "list", "--json");

        _cli.Json.GetProperty("current").GetString().ShouldBe(Local);
        _cli.Json.GetProperty("contexts").EnumerateArray().Select(c => c.GetProperty("name").GetString()).ShouldBe([Local, Remote]);
        _cli.Output.ShouldNotContain(RegistryServer.Admin);
        await DoAsync("context", "list");
        _cli.Output.ShouldContain(_server.Address.ToString());
        if (!OperatingSystem.IsWindows())
            File.GetUnixFileMode(Path.Combine(_cli.Folder, "home", "contexts.json")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public async Task Remove_OfTheSelectedOne_GoesBackToLocal()
    {
        await DoAsync("context", "use", Remote);

        await DoAsync("context", "remove", Remote, "--json");

        _cli.Json.GetProperty("current").GetString().ShouldBe(Local);
        (await _cli.CallAsync("models", "--context", Remote)).ShouldBe(ExitCodes.BadInput);
        _cli.Error.ShouldContain($"There is no context '{Remote}'");
    }

    [Theory]
    [InlineData("local", "is taken")]
    [InlineData("platform", "is taken")]
    [InlineData("a b", "cannot name a context")]
    public async Task Add_NameThatCannotBe_IsRefused(string name, string reason)
    {
        (await _cli.CallAsync("context", "add", name, "--orchestrator", Nowhere, "--registry", Nowhere, "--key", "k")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain(reason);
    }

    [Fact]
    public async Task Add_AddressThatIsNone_IsRefused()
    {
        (await _cli.CallAsync("context", "add", "x", "--orchestrator", "there:80", "--registry", Nowhere, "--key", "k")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("'there:80' is not the address of a server");
    }

    [Fact]
    public async Task Use_OfAPlatformThatDoesNotRun_SaysHowToStartIt()
    {
        (await _cli.CallAsync("context", "use", "platform")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("espalier up");
    }

    [Fact]
    public async Task PlatformCommand_InLocal_SaysWhatToDo()
    {
        (await _cli.CallAsync("watch", "0199c2f4")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("The context is 'local'");
        _cli.Error.ShouldContain("espalier context use");
    }

    [Fact]
    public async Task Server_BesideContext_IsRefused()
    {
        (await _cli.CallAsync("runs", "--server", Nowhere, "--context", Remote)).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("exclude each other");
    }

    [Fact]
    public async Task Import_WhoseAliasIsGated_SaysThatItIsRegisteredAndWhyTheAliasStayed()
    {
        var (model, gate) = (TinyModel.Write(_cli.PathOf("a")), new Gate("champion", "", 1));
        await DoAsync("import", model, "--name", "tiny", "--context", Remote);
        await _server.Get<PromotionGates>().ReplaceAsync("tiny", [gate], "tester", default);

        (await _cli.CallAsync("import", model, "--name", "tiny", "--alias", "champion", "--context", Remote)).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("is registered, but the alias 'champion' did not move");
    }

    [Fact]
    public async Task Run_BesideASelectedPlatform_SaysThatItRunsHere()
    {
        await DoAsync("context", "use", Remote);

        await _cli.CallAsync("run", _cli.Write("empty.yaml", "name: x\nstages: {}\n"));

        _cli.Error.Split('\n')[0].ShouldBe(
            $"In this process, on the files of this home, although the context is '{Remote}'. espalier submit runs it there.");
    }

    private async Task<int> CountAsync(params string[] options)
    {
        await DoAsync(["models", "--json", .. options]);
        return _cli.Json.GetProperty("models").GetArrayLength();
    }

    private async Task DoAsync(params string[] args) => (await _cli.CallAsync(args)).ShouldBe(ExitCodes.Done, _cli.Error);
}
