using System.Text.Json;
using Espalier.Contracts;
using Spectre.Console;

namespace Espalier.Cli.Terminals;

/// <summary>Where a command writes: results to one stream, messages and progress to the other.</summary>
/// <param name="output">Standard output.</param>
/// <param name="error">Standard error.</param>
/// <param name="isInteractive">Whether a person watches standard error, so that progress may be drawn.</param>
internal sealed class Terminal(TextWriter output, TextWriter error, bool isInteractive)
{
    // What is read by other programs, or searched later, is not broken into lines.
    private const int WidthOfFiles = 1000;
    private static readonly JsonSerializerOptions OneLine = new(WireJson.Options)
    {
        DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.Never,
    };

    /// <summary>Standard output.</summary>
    public TextWriter Output { get; } = output;

    /// <summary>Standard error.</summary>
    public TextWriter Error { get; } = error;

    /// <summary>Whether progress may be drawn.</summary>
    public bool IsInteractive { get; } = isInteractive;

    public static Terminal OfThisProcess() => new(Console.Out, Console.Error, !Console.IsErrorRedirected);

    /// <summary>A console on standard error, for progress.</summary>
    public IAnsiConsole Progress() => On(Error, IsInteractive);

    /// <summary>Writes a table or another drawing to standard output.</summary>
    public void Write(Spectre.Console.Rendering.IRenderable drawing) => On(Output, !Console.IsOutputRedirected && IsInteractive).Write(drawing);

    /// <summary>Writes rows under their headings, as wide as the terminal; a line instead where there are none.</summary>
    public void WriteTable(string[] headings, IEnumerable<string[]> rows, string none)
    {
        var table = new Table().RoundedBorder().AddColumns(headings);
        foreach (var row in rows)
            table.AddRow([.. row.Select(Markup.Escape)]);
        if (table.Rows.Count > 0)
            Write(table);
        else
            Output.WriteLine(none);
    }

    /// <summary>Writes the one JSON object of a command.</summary>
    public void WriteJson<T>(T value) => Output.WriteLine(JsonSerializer.Serialize(value, WireJson.Indented));

    /// <summary>Writes a JSON object on one line; keys whose value is null are written too, since scripts look for them.</summary>
    public void WriteJsonLine<T>(T value) => Output.WriteLine(JsonSerializer.Serialize(value, OneLine));

    /// <summary>Writes a message to standard error.</summary>
    public void Say(string message) => Error.WriteLine(message);

    /// <summary>The name of an enum value in lower case.</summary>
    public static string Word<T>(T value) where T : struct, Enum => JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString());

    private static IAnsiConsole On(TextWriter writer, bool isTerminal)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Interactive = isTerminal ? InteractionSupport.Yes : InteractionSupport.No,
            Ansi = isTerminal ? AnsiSupport.Detect : AnsiSupport.No,
        });
        if (!isTerminal)
            console.Profile.Width = WidthOfFiles;
        return console;
    }
}
