using System.Reflection;
using DbUp.Engine;

namespace Espalier.Database;

/// <summary>The numbered scripts of a schema, which are resources of an assembly, and the table that remembers which of them ran.</summary>
/// <param name="What">What the schema is of, for messages: <c>ledger</c>.</param>
/// <param name="Assembly">Holds the scripts.</param>
/// <param name="Prefix">What the resources' names begin with; the scripts run in the order of their names.</param>
/// <param name="Journal">Remembers them.</param>
public sealed record Migrations(string What, Assembly Assembly, string Prefix, MigrationJournal Journal)
{
    /// <summary>Every script, in order.</summary>
    internal IReadOnlyList<SqlScript> Scripts()
    {
        return
        [
            .. Assembly.GetManifestResourceNames()
                .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal) && name.EndsWith(".sql", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal)
                .Select(name => new SqlScript(Journal.KeepsPrefix ? name : name[Prefix.Length..], Read(name))),
        ];

        string Read(string resource)
        {
            using var reader = new StreamReader(Assembly.GetManifestResourceStream(resource)!);
            return reader.ReadToEnd();
        }
    }
}
