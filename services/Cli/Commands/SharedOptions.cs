using System.CommandLine;
using Espalier.Contracts;

namespace Espalier.Cli.Commands;

/// <summary>Options that several commands have.</summary>
internal static class SharedOptions
{
    public const string JsonName = "--json";

    public static Option<bool> Json() => new(JsonName) { Description = "Print one JSON object on standard output; messages go to standard error." };

    public static Option<string[]> Parameters() => new("--param", "-p")
    {
        Description = "NAME=VALUE in place of a value under 'params'; may be repeated.",
        AllowMultipleArgumentsPerToken = false,
    };

    public static Argument<string> PipelineFile() => new("FILE") { Description = "Pipeline file (YAML)." };

    /// <summary>Reads <c>NAME=VALUE</c> pairs.</summary>
    /// <exception cref="UserInputException">One is not such a pair, or a name occurs twice.</exception>
    public static IReadOnlyDictionary<string, string> ReadParameters(string[] pairs)
    {
        var result = new Dictionary<string, string>();
        foreach (var pair in pairs)
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
                throw new UserInputException($"--param {pair}: expected NAME=VALUE, such as --param tokens=1M.");
            if (!result.TryAdd(pair[..equals], pair[(equals + 1)..]))
                throw new UserInputException($"--param {pair[..equals]} is given twice.");
        }
        return result;
    }

    /// <summary>Reads a text file that the user named.</summary>
    /// <exception cref="UserInputException">It cannot be read.</exception>
    public static string ReadFile(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UserInputException(Directory.Exists(path) ? $"{path} is a folder; name a file." : $"{path}: {exception.Message}", exception);
        }
    }
}
