using Dapper;
using Espalier.Contracts;

namespace Espalier.Registry;

/// <summary>What may be changed of models and versions: free text and tags.</summary>
public sealed partial class ModelRegistry
{
    private const int LongestDescription = 100_000;

    /// <summary>Changes free text and tags of a model, or of one version. A tag with the value null is taken away; what is null stays.</summary>
    /// <exception cref="UserInputException">A text is too long.</exception>
    public async Task ChangeAsync(
        string model, int? version, string? description, IReadOnlyDictionary<string, string?>? tags, CancellationToken cancellationToken)
    {
        CheckDescription(description);
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await LockModelAsync(connection, transaction, model).ConfigureAwait(false);
        if (description is not null)
        {
            var (table, rest) = version is null ? ("registry_model", "") : ("registry_version", " and version = @version");
            await connection.ExecuteAsync(
                $"update {table} set description = @description where name = @model{rest}", new { model, version, description },
                transaction).ConfigureAwait(false);
        }
        foreach (var tag in (tags ?? new Dictionary<string, string?>()).Where(t => t.Value is null))
            await RegistryTags.DeleteAsync(connection, transaction, model, version ?? 0, tag.Key).ConfigureAwait(false);
        var written = (tags ?? new Dictionary<string, string?>()).Where(t => t.Value is not null).ToDictionary(t => t.Key, t => t.Value!);
        await RegistryTags.WriteAsync(connection, transaction, model, version ?? 0, written).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    internal static void CheckDescription(string? description)
    {
        if (description?.Length > LongestDescription)
            throw new UserInputException($"The description has {description.Length} characters; at most {LongestDescription} are taken.");
        StorableText.Check(description, "The description");
    }

    /// <summary>Makes a model without versions.</summary>
    /// <returns>False when it existed.</returns>
    public async Task<bool> CreateModelAsync(
        string model, string description, IReadOnlyDictionary<string, string> tags, CancellationToken cancellationToken)
    {
        ValidateName(model, "model name");
        CheckDescription(description);
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        var made = await connection.ExecuteAsync(
            $"insert into registry_model({NewModelColumns}, description) values ({NewModelValues}, @description) on conflict (name) do nothing",
            new { model, Now = Now(), description }, transaction).ConfigureAwait(false);
        if (made > 0)
        {
            await RecordChangeAsync(connection, transaction, model, time.GetUtcNow()).ConfigureAwait(false);
            await RegistryTags.WriteAsync(connection, transaction, model, 0, tags).ConfigureAwait(false);
        }
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return made > 0;
    }
}
