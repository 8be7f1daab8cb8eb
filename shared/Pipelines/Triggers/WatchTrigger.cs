using Espalier.Pipelines.Options;
using FluentValidation;

namespace Espalier.Pipelines.Triggers;

[Trigger("watch", "A file below a folder is new or has changed, and is no longer written to.", ShortForm = "path",
    Fields = ["path", "name", "size", "modified"])]
internal sealed record WatchTrigger : TriggerSettings, IWatchSettings
{
    [Option("full path of the folder, below one of orchestrator:data-folders", Required = true)]
    public string Path { get; init; } = "";

    [Option("Names of files that count; * stands for any text.")]
    public string Pattern { get; init; } = "*";

    [Option("How long a file must not have changed.")]
    public TimeSpan Settle { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>What whoever looks for new files must know of a watch trigger.</summary>
public interface IWatchSettings
{
    /// <summary>Full path of the folder.</summary>
    string Path { get; }

    /// <summary>Names of files that count.</summary>
    string Pattern { get; }

    /// <summary>How long a file must not have changed.</summary>
    TimeSpan Settle { get; }
}

/// <summary>Checks a watched folder.</summary>
internal sealed class WatchTriggerValidator : AbstractValidator<WatchTrigger>
{
    public WatchTriggerValidator()
    {
        RuleFor(trigger => trigger.Path).Must(System.IO.Path.IsPathFullyQualified).WithMessage("'path' must be a full path, such as /data/incoming");
        RuleFor(trigger => trigger.Settle).InclusiveBetween(TimeSpan.Zero, TimeSpan.FromDays(1)).WithMessage("'settle' must be 0s to 1d");
    }
}
