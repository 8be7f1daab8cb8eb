using System.Diagnostics;
using Espalier.Deployment.Tests.Manifests;
using Espalier.TestKit.Servers;
using Microsoft.Data.Sqlite;

namespace Espalier.Deployment.Tests.Kubernetes;

/// <summary>The jobs that bring the databases to the newest schema: the programs, with the arguments of the manifests.</summary>
public sealed class MigrationJobTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("migration-");

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData("orchestrator", "Orchestrator", "ORCHESTRATOR__CONNECTION", "run")]
    [InlineData("registry", "Registry", "REGISTRY__DATABASE", "registry_migration")]
    public async Task Job_OfAService_MakesTheSchemaAndEnds(string service, string project, string setting, string table)
    {
        var connection = $"Data Source={Path.Combine(_folder.FullName, "new.db")}";

        (await RunAsync(service, project, setting, connection)).ShouldBe(0);
        (await RunAsync(service, project, setting, connection)).ShouldBe(0, "it may run again");

        await using var database = new SqliteConnection(connection);
        await database.OpenAsync();
        await using var command = database.CreateCommand();
        command.CommandText = $"select count(*) from sqlite_master where name = '{table}'";
        (await command.ExecuteScalarAsync()).ShouldBe(1L);
    }

    [Fact]
    public async Task Job_WrongSetting_EndsWithTwo() => (await RunAsync("orchestrator", "Orchestrator", "ORCHESTRATOR__PROVIDER", "oracle")).ShouldBe(2);

    [Fact]
    public async Task Job_DatabaseCannotBeOpened_EndsWithOne() =>
        (await RunAsync("registry", "Registry", "REGISTRY__DATABASE", $"Data Source={Path.Combine(_folder.FullName, "nowhere", "new.db")}")).ShouldBe(1);

    private async Task<int> RunAsync(string service, string project, string setting, string value)
    {
        var job = Overlay.Render("kind").Pods.Single(p => p.Kind == "Job" && p.Service == service);
        var start = new ProcessStartInfo("dotnet", [Repository.Assembly($"services/{project}"), .. job.Container.Args])
        {
            WorkingDirectory = _folder.FullName, RedirectStandardError = true,
        };
        start.Environment[$"ESPALIER__{setting}"] = value;
        using var process = Process.Start(start)!;
        await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode;
    }
}
