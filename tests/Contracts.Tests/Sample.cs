using System.Collections;
using System.Reflection;
using System.Text.Json;

namespace Espalier.Contracts.Tests;

/// <summary>Makes a full instance of any message: every member set, lists and texts as long as a busy platform makes them.</summary>
internal static class Sample
{
    private const int ListLength = 16, MetricCount = 200;

    /// <summary>Every message and reference of the contracts.</summary>
    public static IEnumerable<Type> Types { get; } =
        typeof(Digest).Assembly.GetExportedTypes().Where(t => t is { IsClass: true } && t.GetMethod("<Clone>$") is not null);

    public static object Of(Type type)
    {
        if (type == typeof(string))
            return "größe <x> & \"y\" \\ " + new string('z', 60);
        if (type == typeof(int) || type == typeof(int?))
            return int.MaxValue;
        if (type == typeof(long))
            return long.MaxValue;
        if (type == typeof(double))
            return 0.1 + 0.2;
        if (type == typeof(bool))
            return true;
        if (type == typeof(Guid))
            return Guid.Parse("5b0c5a51-4cf4-4e6a-9b35-0d6f0d1f0a77");
        if (type == typeof(TimeSpan))
            return TimeSpan.FromMilliseconds(123_456_789);
        if (type == typeof(Digest))
            return Digest.Of("sample"u8);
        if (type == typeof(JsonElement))
            return JsonSerializer.SerializeToElement(new { learning_rate = 3e-4, nested = new { list = new[] { 1, 2 }, text = "a" }, nothing = (string?)null });
        if (Nullable.GetUnderlyingType(type) is { } underlying)
            return Of(underlying);
        if (type.IsEnum)
            return Enum.GetValues(type).Cast<object>().Last();
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>))
            return ListOf(type.GetGenericArguments()[0]);
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyDictionary<,>))
            return DictionaryOf(type.GetGenericArguments()[1]);
        return RecordOf(type);
    }

    private static IList ListOf(Type item)
    {
        var list = (IList)Activator.CreateInstance(typeof(List<>).MakeGenericType(item))!;
        for (var i = 0; i < ListLength; i++)
            list.Add(Of(item));
        return list;
    }

    private static IDictionary DictionaryOf(Type value)
    {
        var dictionary = (IDictionary)Activator.CreateInstance(typeof(Dictionary<,>).MakeGenericType(typeof(string), value))!;
        for (var i = 0; i < (value == typeof(double) ? MetricCount : 4); i++)
            dictionary.Add($"continued-model.multiple-choice.Accuracy-{i}", Of(value));
        return dictionary;
    }

    private static object RecordOf(Type type)
    {
        var constructor = type.GetConstructors().MaxBy(c => c.GetParameters().Length)!;
        var instance = constructor.Invoke([.. constructor.GetParameters().Select(p => Of(p.ParameterType))]);
        foreach (var property in type.GetProperties().Where(p => p.SetMethod is not null))
            property.SetValue(instance, Of(property.PropertyType));
        return instance;
    }
}
