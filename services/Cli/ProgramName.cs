using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Espalier.Cli;

/// <summary>Help calls the program as users do, and not by the name of its file.</summary>
internal static class ProgramName
{
    public const string Value = "espalier";

    public static void UseIn(RootCommand root)
    {
        foreach (var help in root.Options.OfType<HelpOption>().Where(o => o.Action is HelpAction))
            help.Action = new NamedHelp((HelpAction)help.Action!);
    }

    private sealed class NamedHelp(HelpAction help) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            var configuration = parseResult.InvocationConfiguration;
            var (output, text) = (configuration.Output, new StringWriter());
            configuration.Output = text;
            var code = help.Invoke(parseResult);
            configuration.Output = output;
            output.Write(text.ToString().Replace(RootCommand.ExecutableName, Value, StringComparison.Ordinal));
            return code;
        }
    }
}
