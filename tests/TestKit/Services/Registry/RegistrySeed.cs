using System.Data.Common;
using System.Globalization;
using Espalier.Contracts;

namespace Espalier.TestKit.Services.Registry;

/// <summary>
/// Fills a registry's tables with made-up versions: the rows that registering them one by one would leave, without their
/// checkpoints.
/// </summary>
public static class RegistrySeed
{
    private static readonly string[] Metrics = ["loss", "perplexity", "bits-per-byte", "accuracy", "tokens", "max-violation"];

    /// <summary>Name of a model.</summary>
    public static string Model(int number) => $"model-{number:00000}";

    /// <summary>Root of a version.</summary>
    public static Digest Root(int id) => Digest.Of(BitConverter.GetBytes(id));

    /// <summary>Writes models with as many versions each.</summary>
    public static async Task WriteAsync(DbConnection connection, int models, int versionsEach)
    {
        var count = models * versionsEach;
        await BulkRows.InsertAsync(
            connection,
            "registry_model",
            ["name", "created_at", "number", "description", "updated_at", "changed", "latest", "numbered", "versions"],
            Enumerable.Range(0, models).Select(m => new object[]
            {
                Model(m), Time(m), (long)m + 1, "made up", Time(count + m), (long)m + 1, versionsEach, versionsEach, versionsEach,
            }));
        await BulkRows.InsertAsync(
            connection, "registry_version",
            [
                "id", "name", "version", "root", "size_bytes", "new_bytes", "step_key", "run_id", "step", "stage", "created_at", "family",
                "total_parameters", "active_parameters", "layers", "experts", "experts_per_token", "loss", "perplexity", "bits_per_byte", "accuracy",
            ],
            Enumerable.Range(0, count).Select(i => new object[]
            {
                (long)i + 1, Model(i % models), i / models + 1, Root(i).Hex, Spread(i, 1) * 40_000_000_000L / 1000, Spread(i, 2) * 1_000_000L,
                Digest.Of(BitConverter.GetBytes(-i - 1)).Hex, Guid.Empty.ToString("D"), "cpt", "train", Time(i), "olmoe",
                Spread(i, 3) * 10_000_000L, Spread(i, 4) * 5_000_000L, 16, 8 << (i % 4), 2,
                Measured(i, 0), Measured(i, 1), Measured(i, 2), Measured(i, 3),
            }));
        var card = new string('x', 2000);
        await BulkRows.InsertAsync(
            connection, "registry_card", ["version_id", "card"], Enumerable.Range(0, count).Select(i => new object[] { (long)i + 1, card }));
        await BulkRows.InsertAsync(connection, "registry_fact", ["version_id", "metric", "value", "low", "high"],
            Enumerable.Range(0, count).SelectMany(i => Metrics.Select((metric, m) => new object[] { (long)i + 1, metric, Measured(i, m), 1.9, 5.0 })));
        await BulkRows.InsertAsync(
            connection, "registry_tag", ["name", "version", "tag", "value", "version_id"],
            Enumerable.Range(0, count).Select(i => new object[] { Model(i % models), i / models + 1, "team", $"team-{i % 50}", (long)i + 1 }));
        await BulkRows.InsertAsync(
            connection, "registry_alias", ["name", "alias", "version", "version_id"],
            Enumerable.Range(0, models)
                .SelectMany(m => new[]
                {
                    new object[] { Model(m), "champion", versionsEach, (long)count - models + m + 1 },
                    new object[] { Model(m), "candidate", 1, (long)m + 1 },
                }));
        await BulkRows.InsertAsync(connection, "registry_alias_move", ["name", "alias", "version", "previous", "actor", "reason", "moved_at", "kind"],
            Enumerable.Range(0, count)
                .Select(i => new object[] { Model(i % models), "champion", i / models + 1, Math.Max(1, i / models), "seed", "", Time(i), "moved" }));
        // Each version was trained from the one before it of the same model: a chain as long as the model has versions.
        await BulkRows.InsertAsync(connection, "registry_artifact", ["root", "kind", "step_key", "run_id", "step", "stage", "method", "seconds"],
            Enumerable.Range(0, count)
                .Select(i => new object[]
                {
                    Root(i).Hex, "checkpoint", Digest.Of(BitConverter.GetBytes(-i - 1)).Hex, Guid.Empty.ToString("D"), "cpt", "train", "", 12.5,
                }));
        await BulkRows.InsertAsync(
            connection, "registry_edge", ["child", "parent", "relation"],
            Enumerable.Range(models, count - models).Select(i => new object[] { Root(i).Hex, Root(i - models).Hex, "trained" }));
        await BulkRows.InsertAsync(
            connection, "registry_event", ["id", "kind", "model", "body", "created_at"],
            Enumerable.Range(0, count).Select(i => new object[] { (long)i + 1, "model.registered", Model(i % models), "{}", Time(i) }));
        await BulkRows.InsertAsync(
            connection, "registry_storage", ["version_id", "logical", "frees"],
            Enumerable.Range(0, count).Select(i => new object[] { (long)i + 1, 1_000_000L, Spread(i, 20) * 1000L }));
        await BulkRows.InsertAsync(
            connection, "registry_storage_total", ["only_row", "logical", "physical", "unreferenced", "versions", "made_at"],
            [[1, count * 1_000_000L, count * 400_000L, 0L, (long)count, Time(count)]]);
        await using var command = connection.CreateCommand();
        command.CommandText = string.Create(CultureInfo.InvariantCulture, $"update registry_counter set value = {count}");
        await command.ExecuteNonQueryAsync();
    }

    private static double Measured(int i, int metric) => 2 + Spread(i, 10 + metric) / 400.0;

    // 0 to 999, the same for the same version, unlike for different seeds.
    private static int Spread(int i, int seed) => (int)((uint)(i * 2654435761u + seed * 40503u * 65537u) >> 7) % 1000;

    private static string Time(int second) => DateTimeOffset.UnixEpoch.AddYears(50).AddSeconds(second).ToString("O", CultureInfo.InvariantCulture);
}
