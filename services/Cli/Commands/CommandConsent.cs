using System.CommandLine;
using Espalier.Cli.Hosting;
using Espalier.Contracts;

namespace Espalier.Cli.Commands;

/// <summary>Pipelines that run programs on this machine do so only where somebody has said yes to it.</summary>
internal static class CommandConsent
{
    private const string Name = "--allow-commands";

    public static Option<bool> Create() => new(Name)
    {
        Description = "Let steps of the kind 'command' run their programs on this machine, as you.",
    };

    /// <summary>Refuses steps that run programs, unless that is allowed.</summary>
    /// <exception cref="UserInputException">Names the steps and what would allow it.</exception>
    public static void Require(bool isAllowed, EspalierHome home, IEnumerable<(string Step, string Kind)> steps)
    {
        if (isAllowed)
            return;
        var kinds = Hosting.Stages.All(home).Where(s => s.Traits.RunsPrograms).Select(s => s.Kind).ToHashSet();
        var asking = steps.Where(s => kinds.Contains(s.Kind)).Select(s => $"'{s.Step}'").ToList();
        if (asking.Count > 0)
            throw new UserInputException(
                $"{(asking.Count == 1 ? "Step" : "Steps")} {string.Join(", ", asking)} would run {(asking.Count == 1 ? "a program" : "programs")} on this "
                    + $"machine, as you. If you know what that is, add {Name}.");
    }
}
