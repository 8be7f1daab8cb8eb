namespace Espalier.Platform.Tests;

public sealed class PlatformPlanTests : IDisposable
{
    private readonly TemporaryHome _home = new();

    public void Dispose() => _home.Dispose();

    [Fact]
    public void Create_Defaults_RunsEveryServerAndOneProcessPerService()
    {
        var plan = PlatformPlan.Create(_home.Home, new PlatformSettings(), new WantedPlatform());

        plan.Servers.Select(s => s.Name).ShouldBe(["rabbitmq", "postgresql", "azurite"]);
        plan.Services.Select(s => s.Name).ShouldBe(
            ["orchestrator", "registry", "cpt-trainer-1", "upcycler-1", "pruner-1", "quantizer-1", "evaluator-1"]);
    }

    [Fact]
    public void Create_FileStoreAndWorkerCounts_AreFollowed()
    {
        var wanted = new WantedPlatform { Store = WantedPlatform.FileStore, Workers = new Dictionary<string, int> { ["cpt-trainer"] = 2, ["pruner"] = 0 } };

        var plan = PlatformPlan.Create(_home.Home, new PlatformSettings(), wanted);

        plan.Servers.Select(s => s.Name).ShouldNotContain("azurite");
        plan.Services.Select(s => s.Name).ShouldContain("cpt-trainer-2");
        plan.Services.Select(s => s.Name).ShouldNotContain("pruner-1");
        plan.Services[0].Environment["ESPALIER__STORE__LOCATION"].ShouldBe($"file:{_home.Home.StoreFolder}");
    }

    [Fact]
    public void Create_Services_GetSecretsByEnvironmentOnly()
    {
        var settings = new PlatformSettings();

        var plan = PlatformPlan.Create(_home.Home, settings, new WantedPlatform());

        settings.Secrets.ShouldNotBeEmpty();
        foreach (var secret in settings.Secrets.Values)
            plan.Services.ShouldAllBe(s => s.Command.All(argument => !argument.Contains(secret)));
    }
}
