using System.CommandLine;
using Espalier.Cli.Terminals;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier completion SHELL</c>: a script that completes commands and options; the shell asks the program itself.</summary>
internal static class CompletionCommand
{
    private const string Bash = """
        # espalier: completion for bash. The program is asked with what stands after its name, and the cursor's place in that.
        _espalier() {
          local name=${COMP_WORDS[0]} rest=${COMP_LINE#* }
          [ "$rest" = "$COMP_LINE" ] && rest=
          local at=$(( COMP_POINT - ${#COMP_LINE} + ${#rest} ))
          local IFS=$'\n'
          COMPREPLY=($(compgen -W "$("$name" "[suggest:$at]" "$rest" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -o default -F _espalier espalier ./espalier
        """;

    private const string Zsh = """
        # espalier: completion for zsh, by way of its own support for bash functions.
        autoload -Uz compinit bashcompinit
        compinit
        bashcompinit
        """;

    private const string Fish = """
        # espalier: completion for fish.
        function __espalier_suggest
          set -l line (commandline -cp)
          set -l rest (string replace -r '^\S+\s?' '' -- $line)
          set -l name (string match -r '^\S+' -- $line)
          $name "[suggest:"(string length -- $rest)"]" "$rest" 2>/dev/null
        end
        complete -c espalier -a '(__espalier_suggest)'
        """;

    public static Command Create(Terminal terminal)
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish." };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command(
            "completion",
            "Print a script that lets a shell complete commands, options and their values.\n\n"
                + "  source <(espalier completion bash)               in ~/.bashrc\n"
                + "  source <(espalier completion zsh)                in ~/.zshrc\n"
                + "  espalier completion fish | source                in ~/.config/fish/config.fish")
        {
            shell,
        };
        command.SetAction(parsed =>
        {
            terminal.Output.WriteLine(parsed.GetRequiredValue(shell) switch
            {
                "bash" => Bash,
                "zsh" => $"{Zsh}\n{Bash}",
                _ => Fish,
            });
            return ExitCodes.Done;
        });
        return command;
    }
}
