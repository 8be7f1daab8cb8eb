using Espalier.Contracts;
using Microsoft.Extensions.Configuration;

namespace Espalier.Messaging;

/// <summary>
/// Reads a section of the configuration into an options class. Words may be joined, or separated by dashes or underscores:
/// <c>request-timeout</c> in a file is <c>ESPALIER__MESSAGING__REQUEST_TIMEOUT</c> in the environment.
/// </summary>
public static class Settings
{
    /// <summary>The options of a section; what it does not name keeps its default.</summary>
    /// <exception cref="UserInputException">A setting does not exist, or its value cannot be read.</exception>
    public static T Read<T>(IConfiguration configuration, string section) where T : class, new()
    {
        var properties = typeof(T).GetProperties().ToDictionary(p => p.Name, StringComparer.OrdinalIgnoreCase);
        var values = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        var problems = new List<Problem>();
        foreach (var (key, value) in configuration.GetSection(section).AsEnumerable(makePathsRelative: true))
        {
            if (value is null)
                continue;
            var path = Join(key);
            var parts = path.Split(':');
            if (!properties.TryGetValue(parts[0], out var property))
                problems.Add(Unknown($"{section}:{key}", properties.Keys));
            else if (parts is [_, _, var member] && MembersOfEntries(property.PropertyType) is { Count: > 0 } members
                && !members.Contains(member, StringComparer.OrdinalIgnoreCase))
                problems.Add(Unknown($"{section}:{key}", members));
            else if (parts is [_, var own] && MembersOf(property.PropertyType) is { Count: > 0 } owns && !owns.Contains(own, StringComparer.OrdinalIgnoreCase))
                problems.Add(Unknown($"{section}:{key}", owns));
            else
                values[path] = property.PropertyType.IsEnum ? Join(value) : value;
        }
        if (problems.Count > 0)
            throw new UserInputException(problems);

        var result = new T();
        try
        {
            new ConfigurationBuilder().AddInMemoryCollection(values).Build().Bind(result);
        }
        catch (InvalidOperationException e)
        {
            throw new UserInputException($"{section}: {e.Message}", e);
        }
        return result;
    }

    // What the entries of a list have, such as devices:0:name; empty where they are plain values.
    private static IReadOnlyList<string> MembersOfEntries(Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IList<>) ? MembersOf(type.GenericTypeArguments[0]) : [];

    // What a section within the section has, such as jobs:claim; empty for plain values and collections.
    private static IReadOnlyList<string> MembersOf(Type type) =>
        type.IsClass && !typeof(System.Collections.IEnumerable).IsAssignableFrom(type) ? [.. type.GetProperties().Select(p => p.Name)] : [];

    private static Problem Unknown(string setting, IEnumerable<string> expected) => new(
        setting, 0, 0, $"There is no such setting: expected one of {string.Join(", ", expected.Select(Kebab).Order(StringComparer.Ordinal))}.");

    private static string Join(string name) =>
        name.Replace("-", "", StringComparison.Ordinal).Replace("_", "", StringComparison.Ordinal);

    private static string Kebab(string name) => System.Text.Json.JsonNamingPolicy.KebabCaseLower.ConvertName(name);
}
