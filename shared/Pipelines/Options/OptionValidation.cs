using System.Collections.Concurrent;
using System.Reflection;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Pipelines.Text;
using FluentValidation;
using FluentValidation.Results;

namespace Espalier.Pipelines.Options;

/// <summary>
/// Runs the validators that live beside an options record (and beside the record of the chosen method), for rules over several
/// options; their messages get the place of the option they name.
/// </summary>
internal static class OptionValidation
{
    // What the code of a type declares never changes, so it is looked up once.
    private static readonly ConcurrentDictionary<Type, IValidator[]> Validators = new();
    private static readonly ConcurrentDictionary<Type, MethodRecord[]> MethodRecords = new();

    public static void Run(Type optionsType, OptionDocument document, ProblemList problems)
    {
        foreach (var type in RecordsOf(optionsType, document))
        {
            object options;
            try
            {
                options = document.ToElement().Deserialize(type, WireJson.Options)!;
            }
            catch (JsonException exception)
            {
                var path = (exception.Path ?? "$").TrimStart('$', '.');
                Add(document, problems, path, $"'{path}' does not fit: {exception.Message.Split(" Path:")[0]}");
                continue;
            }
            foreach (var failure in Validators.GetOrAdd(type, FindValidators).SelectMany(v => v.Validate(new ValidationContext<object>(options)).Errors))
                Add(document, problems, PathOf(failure), failure.ErrorMessage);
        }
    }

    private static IEnumerable<Type> RecordsOf(Type optionsType, OptionDocument document) => MethodRecords.GetOrAdd(optionsType, FindMethodRecords)
        .Where(method => document.Values[method.Discriminator]?.GetValue<string>() == method.Name)
        .Select(method => method.Record)
        .Prepend(optionsType);

    private static MethodRecord[] FindMethodRecords(Type optionsType) =>
    [
        .. from type in optionsType.Assembly.GetTypes()
           from method in type.GetCustomAttributes<MethodOptionsAttribute>()
           where method.StageOptions == optionsType && type.GetProperties().Any(p => p.IsDefined(typeof(OptionAttribute)))
           select new MethodRecord(JsonNamingPolicy.KebabCaseLower.ConvertName(method.Property), method.Method, type),
    ];

    private static IValidator[] FindValidators(Type type) =>
    [
        .. from candidate in type.Assembly.GetTypes()
           where !candidate.IsAbstract && candidate.IsAssignableTo(typeof(IValidator<>).MakeGenericType(type))
               && candidate.GetConstructor(Type.EmptyTypes) is not null
           orderby candidate.FullName
           select (IValidator)Activator.CreateInstance(candidate)!,
    ];

    private static void Add(OptionDocument document, ProblemList problems, string path, string message)
    {
        var place = document.PlaceOf(path);
        problems.Add(place, message.TrimEnd('.'));
    }

    /// <summary><c>Calibration.GroupSize</c> as <c>calibration.group-size</c>.</summary>
    private static string PathOf(ValidationFailure failure) =>
        string.Join('.', (failure.PropertyName ?? "").Split('.').Select(JsonNamingPolicy.KebabCaseLower.ConvertName));

    private sealed record MethodRecord(string Discriminator, string Name, Type Record);
}
