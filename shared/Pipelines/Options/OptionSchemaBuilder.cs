using System.Collections;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using Espalier.Contracts;

namespace Espalier.Pipelines.Options;

/// <summary>Reads an options record by reflection.</summary>
internal static class OptionSchemaBuilder
{
    private const int MaxDepth = 8;

    public static OptionSchema Build(Type type) => BuildObject(type, 0);

    private static OptionSchema BuildObject(Type type, int depth)
    {
        if (depth > MaxDepth)
            throw new InvalidOperationException($"The options {type.Name} nest deeper than {MaxDepth} levels: does a record contain itself?");
        var properties = BuildProperties(type, depth);
        var methods = FindMethods(type, depth);
        if (methods.Count == 0)
            return new OptionSchema { Kind = ValueKind.Object, Properties = properties };

        var discriminator = methods[0].Discriminator;
        if (!properties.TryGetValue(discriminator, out var choice))
            throw new InvalidOperationException($"Methods name the options {type.Name}, which has no option '{discriminator}'.");
        properties[discriminator] = choice with
        {
            Kind = ValueKind.Choice,
            Choices = [.. (choice.Choices ?? []).Union(methods.Select(m => m.Name)).Order(StringComparer.Ordinal)],
        };
        return new OptionSchema
        {
            Kind = ValueKind.Object,
            Properties = properties,
            Discriminator = discriminator,
            Methods = methods.Where(m => m.Schema.Properties!.Count > 0).ToDictionary(m => m.Name, m => m.Schema),
        };
    }

    private static Dictionary<string, OptionSchema> BuildProperties(Type type, int depth)
    {
        var defaults = CreateDefaults(type);
        var result = new Dictionary<string, OptionSchema>();
        foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            if (property.SetMethod is null || property.IsDefined(typeof(JsonIgnoreAttribute)) || property.IsDefined(typeof(SetByPlanningAttribute)))
                continue;
            var option = property.GetCustomAttribute<OptionAttribute>()
                ?? throw new InvalidOperationException($"{type.Name}.{property.Name} needs [Option(\"description\")]: every option is explained.");
            result[NameOf(property)] = BuildOption(property, option, property.GetValue(defaults), depth);
        }
        return result;
    }

    private static OptionSchema BuildOption(PropertyInfo property, OptionAttribute option, object? value, int depth)
    {
        var schema = BuildValue(property.PropertyType, property, option, depth) with
        {
            Description = option.Description,
            Required = option.Required,
            Inherit = option.Inherit,
            Default = option.Required || value is null ? null : JsonSerializer.SerializeToElement(value, property.PropertyType, WireJson.Options),
        };
        return schema;
    }

    private static OptionSchema BuildValue(Type declared, PropertyInfo property, OptionAttribute option, int depth)
    {
        var type = Nullable.GetUnderlyingType(declared) ?? declared;
        if (type != typeof(string) && FindMapValue(type) is { } mapValue)
            return new OptionSchema { Kind = ValueKind.Map, Items = BuildValue(mapValue, property, option, depth + 1) };
        if (type != typeof(string) && FindListItem(type) is { } item)
            return new OptionSchema { Kind = ValueKind.List, Items = BuildValue(item, property, option, depth + 1), AcceptsOne = option.AcceptsOne };
        if (type.IsEnum)
            return new OptionSchema { Kind = ValueKind.Choice, Choices = [.. Enum.GetNames(type).Select(EnumWord)] };
        if (option.Choices.Length > 0 && type == typeof(string))
            return new OptionSchema { Kind = ValueKind.Choice, Choices = option.Choices };
        if (option.ChoicesOf is { } methods)
            return new OptionSchema { Kind = ValueKind.Choice, Choices = NamesOf(methods) };
        return KindOf(type, option.Kind) is { } kind
            ? new OptionSchema
            {
                Kind = kind,
                Min = Limit(option.Min, SmallestOf(type)),
                Max = Limit(option.Max, LargestOf(type)),
                Choices = option.Choices.Length > 0 ? option.Choices : null,
                Pattern = option.Pattern,
                PatternMeaning = option.PatternMeaning,
            }
            : type.IsClass && type.GetProperties().Any(p => p.IsDefined(typeof(OptionAttribute)))
                ? BuildObject(type, depth + 1)
                : throw new InvalidOperationException($"{property.DeclaringType?.Name}.{property.Name}: a {type.Name} cannot be an option.");
    }

    private static ValueKind? KindOf(Type type, OptionKind kind) => kind switch
    {
        OptionKind.Count => ValueKind.Count,
        OptionKind.Duration => ValueKind.Duration,
        OptionKind.Size => ValueKind.Size,
        OptionKind.Dataset => ValueKind.Dataset,
        OptionKind.Model => ValueKind.Model,
        OptionKind.Template => ValueKind.Template,
        _ when type == typeof(string) => ValueKind.Text,
        _ when type == typeof(bool) => ValueKind.Bool,
        _ when type == typeof(int) || type == typeof(long) || type == typeof(uint) || type == typeof(ulong) || type == typeof(short)
            || type == typeof(byte) => ValueKind.Integer,
        _ when type == typeof(double) || type == typeof(float) || type == typeof(decimal) => ValueKind.Number,
        _ when type == typeof(TimeSpan) => ValueKind.Duration,
        _ => null,
    };

    private static string[] NamesOf(Type methods) =>
    [
        .. MethodAssemblies.FindImplementations(methods)
            .Select(t => (string)methods.GetInterfaces().Prepend(methods).Select(i => i.GetProperty("Name")).OfType<PropertyInfo>().First()
                .GetValue(Activator.CreateInstance(t, nonPublic: true))!)
            .Order(StringComparer.Ordinal),
    ];

    private static List<Method> FindMethods(Type type, int depth) =>
    [
        .. from candidate in MethodAssemblies.Of(type.Assembly).SelectMany(assembly => assembly.GetTypes())
           from attribute in candidate.GetCustomAttributes<MethodOptionsAttribute>()
           where attribute.StageOptions == type
           orderby attribute.Method
           select new Method(
               attribute.Method,
               Kebab(attribute.Property),
               new OptionSchema { Kind = ValueKind.Object, Properties = OwnOptions(candidate, type, depth) }),
    ];

    /// <summary>Options of a method; those that repeat an option of the stage are the stage's.</summary>
    private static Dictionary<string, OptionSchema> OwnOptions(Type method, Type stage, int depth)
    {
        if (!method.GetProperties().Any(p => p.IsDefined(typeof(OptionAttribute))))
            return [];
        var shared = stage.GetProperties().Select(NameOf).ToHashSet();
        return BuildProperties(method, depth).Where(p => !shared.Contains(p.Key)).ToDictionary(p => p.Key, p => p.Value);
    }

    private static object CreateDefaults(Type type) =>
        type.GetConstructor(Type.EmptyTypes) is null
            ? throw new InvalidOperationException($"The options {type.Name} need a constructor without parameters, which sets the defaults.")
            : Activator.CreateInstance(type)!;

    private static Type? FindMapValue(Type type) =>
        GenericArguments(type, typeof(IReadOnlyDictionary<,>)) is [var key, var value] && key == typeof(string) ? value : null;

    private static Type? FindListItem(Type type) =>
        type.IsAssignableTo(typeof(IEnumerable)) && GenericArguments(type, typeof(IEnumerable<>)) is [var item] ? item : null;

    private static Type[]? GenericArguments(Type type, Type definition) =>
        type.GetInterfaces().Prepend(type).FirstOrDefault(i => i.IsGenericType && i.GetGenericTypeDefinition() == definition)?.GetGenericArguments();

    private static string NameOf(PropertyInfo property) =>
        property.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name ?? Kebab(property.Name);

    /// <summary>As the serializer writes it.</summary>
    private static string EnumWord(string name) => Kebab(name);

    private static string Kebab(string name) => JsonNamingPolicy.KebabCaseLower.ConvertName(name);

    /// <summary>The stated limit, or else what the type can hold.</summary>
    private static double? Limit(double stated, double? held) => double.IsInfinity(stated) ? held : stated;

    private static double? SmallestOf(Type type) =>
        type == typeof(int) ? int.MinValue
        : type == typeof(short) ? short.MinValue
        : type == typeof(uint) || type == typeof(ulong) || type == typeof(byte) ? 0 : null;

    private static double? LargestOf(Type type) =>
        type == typeof(int) ? int.MaxValue
        : type == typeof(uint) ? uint.MaxValue
        : type == typeof(short) ? short.MaxValue
        : type == typeof(byte) ? byte.MaxValue : null;

    private sealed record Method(string Name, string Discriminator, OptionSchema Schema);
}
