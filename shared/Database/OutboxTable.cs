using System.Data.Common;
using Dapper;

namespace Espalier.Database;

/// <summary>
/// A table of messages that committed transactions owe to others. Its columns, which every schema makes for itself:
/// <c>id $identity$, destination text, type text, body text, not_before bigint, attempts integer default 0</c>, and an index on
/// <c>(not_before, id)</c>.
/// </summary>
/// <param name="name">Name of the table.</param>
public sealed class OutboxTable(string name)
{
    /// <summary>Name of the table.</summary>
    public string Name { get; } = name;

    private string Insert => $"insert into {Name} (destination, type, body, not_before) values (@destination, @type, @body, @notBefore)";

    /// <summary>Adds a message, which exists if and only if the transaction commits.</summary>
    /// <param name="transaction">The transaction of the change that the message tells of.</param>
    /// <param name="destination">Where it goes; empty for everybody.</param>
    /// <param name="type">By which the publisher knows what the body is.</param>
    /// <param name="body">The message.</param>
    /// <param name="notBefore">When it is due, in milliseconds since 1970 UTC; 0 for at once.</param>
    public Task AddAsync(DatabaseTransaction transaction, string destination, string type, string body, long notBefore) =>
        transaction.ExecuteAsync(Insert, new { destination, type, body, notBefore });

    /// <inheritdoc cref="AddAsync(DatabaseTransaction, string, string, string, long)"/>
    public Task AddAsync(DbConnection connection, DbTransaction transaction, string destination, string type, string body, long notBefore) =>
        connection.ExecuteAsync(Insert, new { destination, type, body, notBefore }, transaction);
}

/// <summary>One message of an outbox.</summary>
public sealed class OutboxMessage
{
    /// <summary>Number, in the order in which messages were written.</summary>
    public long Id { get; init; }

    /// <summary>Where it goes; empty for everybody.</summary>
    public string Destination { get; init; } = "";

    /// <summary>By which the publisher knows what the body is.</summary>
    public string Type { get; init; } = "";

    /// <summary>The message.</summary>
    public string Body { get; init; } = "";

    /// <summary>How often it was taken to be sent, this time included.</summary>
    public int Attempts { get; init; }
}
