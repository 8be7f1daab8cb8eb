using Espalier.Pipelines.Options;
using Espalier.Pipelines.Planning;
using FluentValidation;

namespace Espalier.Pipelines.Triggers;

[Trigger("watch", "A file below a folder, or a blob below a prefix, is new or has changed, and is no longer written to.", ShortForm = "path",
    Fields = ["path", "name", "size", "modified", "etag", "url"])]
internal sealed record WatchTrigger : TriggerSettings, IWatchSettings
{
    [Option("Full path of the folder, below one of orchestrator:data-folders.")]
    public string? Path { get; init; }

    [Option("Blobs in place of files: the name of a place that an administrator has set (blobs:NAME), and a prefix below it, such as incoming/texts/.")]
    public string? Blobs { get; init; }

    [Option("Names of files that count; * stands for any text.")]
    public string Pattern { get; init; } = "*";

    [Option("How long a file must not have changed.")]
    public TimeSpan Settle { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>What whoever looks for new files must know of a watch trigger.</summary>
public interface IWatchSettings
{
    /// <summary>Full path of the folder; null when blobs are watched.</summary>
    string? Path { get; }

    /// <summary>Name of a place of blobs, with a prefix below it after a slash; null when a folder is watched.</summary>
    string? Blobs { get; }

    /// <summary>Names of files that count.</summary>
    string Pattern { get; }

    /// <summary>How long a file must not have changed.</summary>
    TimeSpan Settle { get; }
}

/// <summary>Checks a watched place.</summary>
internal sealed class WatchTriggerValidator : AbstractValidator<WatchTrigger>
{
    private const int LongestBlobs = 1000;

    public WatchTriggerValidator()
    {
        RuleFor(trigger => trigger).Must(trigger => trigger.Path is null != trigger.Blobs is null).WithName("path")
            .WithMessage("a watch names either 'path', the full path of a folder, or 'blobs', a place of blobs such as incoming/texts/");
        RuleFor(trigger => trigger.Path).Must(path => path is null || System.IO.Path.IsPathFullyQualified(path))
            .WithMessage("'path' must be a full path, such as /data/incoming");
        RuleFor(trigger => trigger.Blobs).Must(blobs => blobs is null || blobs.Length <= LongestBlobs && StepNames.IsValid(blobs.Split('/')[0]))
            .WithMessage("'blobs' must begin with the name of a place that an administrator has set, such as incoming/texts/; it has at most 1000 characters");
        RuleFor(trigger => trigger.Settle).InclusiveBetween(TimeSpan.Zero, TimeSpan.FromDays(1)).WithMessage("'settle' must be 0s to 1d");
    }
}
