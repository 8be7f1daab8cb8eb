namespace Espalier.Database;

/// <summary>
/// The table that remembers scripts. Each schema keeps the table that its databases have had from the start, not one of DbUp's: so
/// old databases come up as they are, and older programs still see that a database is too new for them.
/// </summary>
public sealed record MigrationJournal
{
    /// <summary>Makes the table where it is missing.</summary>
    public required string Create { get; init; }

    /// <summary>Reads the names of the scripts that ran.</summary>
    public required string Select { get; init; }

    /// <summary>Adds a script: <c>@name</c>, its number <c>@version</c>, and the time <c>@now</c> in milliseconds since 1970.</summary>
    public required string Insert { get; init; }

    /// <summary>Whether the table holds whole names of resources.</summary>
    /// <value>false</value>
    public bool KeepsPrefix { get; init; }
}
