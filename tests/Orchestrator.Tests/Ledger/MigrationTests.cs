using Espalier.Database;
using Espalier.Orchestrator.Database;
using Espalier.TestKit.Services.Ledger;
using Microsoft.Data.Sqlite;

namespace Espalier.Orchestrator.Tests.Ledger;

public sealed class MigrationTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("migration-");

    public static TheoryData<int> Versions => OldLedger.Versions;

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task Migrate_LedgerOfAnOlderVersion_KeepsEveryRow(int version)
    {
        using var database = new LedgerDatabase(new SqliteDialect($"Data Source={Path.Combine(_folder.FullName, "ledger.db")}"), TimeProvider.System);

        await OldLedger.MigrateAsync(database, version);
    }
}
