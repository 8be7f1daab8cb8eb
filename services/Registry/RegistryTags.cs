using System.Data.Common;
using Dapper;
using Espalier.Contracts;

namespace Espalier.Registry;

/// <summary>Free tags of models and versions: short texts under short names.</summary>
public static class RegistryTags
{
    private const int LongestName = 100, LongestValue = 5000, MostAtOnce = 200;

    /// <summary>Refuses tags that are too long, too many, or hold control characters.</summary>
    /// <exception cref="UserInputException">They are.</exception>
    public static void Check(IReadOnlyDictionary<string, string> tags)
    {
        if (tags.Count > MostAtOnce)
            throw new UserInputException($"{tags.Count} tags at once; at most {MostAtOnce} are taken.");
        foreach (var (tag, value) in tags)
        {
            if (tag.Length is 0 or > LongestName || tag.Any(char.IsControl))
                throw new UserInputException($"A tag's name has 1 to {LongestName} characters and no control characters.");
            StorableText.Check(tag, "The name of a tag");
            StorableText.Check(value, $"The value of tag '{tag}'");
            if (value is null)
                throw new UserInputException($"Tag '{tag}' has no value.");
            if (value.Length > LongestValue || value.Any(c => char.IsControl(c) && c is not ('\n' or '\t')))
            {
                throw new UserInputException(
                    $"The value of tag '{tag}' has {value.Length} characters; at most {LongestValue} are taken, and no control characters.");
            }
        }
    }

    internal static async Task WriteAsync(
        DbConnection connection, DbTransaction transaction, string model, int version, IReadOnlyDictionary<string, string> tags)
    {
        Check(tags);
        foreach (var (tag, value) in tags)
        {
            await connection.ExecuteAsync(
                """
                insert into registry_tag(name, version, tag, value, version_id)
                values (@model, @version, @tag, @value, coalesce((select v.id from registry_version v where v.name = @model and v.version = @version), 0))
                on conflict (name, version, tag) do update set value = excluded.value
                """,
                new { model, version, tag, value }, transaction).ConfigureAwait(false);
        }
    }

    internal static Task DeleteAsync(DbConnection connection, DbTransaction transaction, string model, int version, string tag) =>
        connection.ExecuteAsync(
            "delete from registry_tag where name = @model and version = @version and tag = @tag", new { model, version, tag }, transaction);
}
