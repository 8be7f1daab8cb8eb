using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace Espalier.TestKit.Servers;

/// <summary>A service of compose files.</summary>
/// <param name="Name">Its name there.</param>
/// <param name="Dockerfile">What builds it, such as <c>pruner</c> for <c>docker/pruner.Dockerfile</c>; empty for images of others.</param>
/// <param name="Environment">Its environment as the files have it.</param>
public sealed partial record ComposeService(string Name, string Dockerfile, IReadOnlyDictionary<string, string> Environment)
{
    /// <summary>Device classes that it offers where it is a worker, the one that it is for first.</summary>
    public IReadOnlyList<string> Devices => Environment.Keys.Where(k => DeviceName().IsMatch(k)).Order(StringComparer.Ordinal)
        .Select(k => Environment[k]).DefaultIfEmpty("cpu").ToList();

    [GeneratedRegex("^ESPALIER__WORKER__DEVICES__[0-9]+__NAME$", RegexOptions.CultureInvariant)]
    private static partial Regex DeviceName();
}

/// <summary>Compose files of this repository, read as compose reads them.</summary>
public static partial class ComposeFiles
{
    /// <summary>Services by name; of a service in several files, the later file's settings win, name by name.</summary>
    /// <param name="files">Names of files in <c>docker</c>.</param>
    public static IReadOnlyDictionary<string, ComposeService> Read(params string[] files)
    {
        var services = new Dictionary<string, ComposeService>();
        foreach (var (name, settings) in files.SelectMany(Services))
        {
            var known = services.GetValueOrDefault(name) ?? new ComposeService(name, "", new Dictionary<string, string>());
            var environment = known.Environment.ToDictionary();
            foreach (var (setting, value) in (Dictionary<object, object>)settings.GetValueOrDefault("environment", new Dictionary<object, object>()))
                environment[(string)setting] = $"{value}";
            var dockerfile = settings.GetValueOrDefault("build") is Dictionary<object, object> build ? $"{build["dockerfile"]}" : known.Dockerfile;
            services[name] = new ComposeService(name, Path.GetFileName(dockerfile).Split('.')[0], environment);
        }
        return services;
    }

    /// <summary>A value with its variables put in.</summary>
    /// <exception cref="KeyNotFoundException">A variable that must be given is not.</exception>
    public static string Interpolate(string value, IReadOnlyDictionary<string, string> variables) => Variable().Replace(value, match =>
    {
        var (name, rest) = (match.Groups["name"].Value, match.Groups["rest"].Value);
        if (variables.TryGetValue(name, out var given) && given.Length > 0)
            return given;
        return rest.StartsWith(":-", StringComparison.Ordinal)
            ? rest[2..]
            : throw new KeyNotFoundException($"{name} must be given: {rest.TrimStart(':', '?')}.");
    });

    private static IEnumerable<(string Name, Dictionary<object, object> Service)> Services(string file)
    {
        using var text = new StreamReader(Repository.PathOf($"docker/{file}"));
        var root = new DeserializerBuilder().Build().Deserialize<Dictionary<string, object>>(new MergingParser(new Parser(text)));
        return ((Dictionary<object, object>)root["services"]).Select(s => ((string)s.Key, (Dictionary<object, object>)s.Value));
    }

    [GeneratedRegex(@"\$\{(?<name>[A-Z_]+)(?<rest>:[-?][^}]*)?\}", RegexOptions.CultureInvariant)]
    private static partial Regex Variable();
}
