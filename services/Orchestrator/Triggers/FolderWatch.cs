using Dapper;
using Espalier.Contracts;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Scheduling;
using Espalier.Pipelines.Expressions;
using Espalier.Pipelines.Triggers;

namespace Espalier.Orchestrator.Triggers;

/// <summary>
/// Looks at watched folders now and then, and makes an event of every file that is new or has changed and is no longer written to. What
/// a folder held when its trigger was added is not new.
/// </summary>
internal sealed class FolderWatch(LedgerDatabase database, DataFolders folders, TimeProvider time, ILogger<FolderWatch> logger)
{
    private const int MostFiles = 10_000;

    /// <summary>Stands in <c>watched_file</c> for: the folder has been looked at.</summary>
    private const string Looked = "";
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);
    private static readonly EnumerationOptions Walk = new()
    {
        RecurseSubdirectories = true, AttributesToSkip = FileAttributes.Hidden | FileAttributes.System | FileAttributes.ReparsePoint,
    };

    // Files as they were last seen, and since when they have been so.
    private readonly Dictionary<(string Trigger, string Path), (FileState File, long Since)> _unsettled = [];
    private readonly HashSet<string> _said = [];
    private long? _last;

    /// <summary>Looks, unless it did so a moment ago.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (_last is { } last && time.GetElapsedTime(last) < Pause)
            return;
        _last = time.GetTimestamp();
        var triggers = await database.ReadAsync(
            connection => connection.QueryAsync<TriggerRow>(
                "select * from pipeline_trigger where kind = @kind and is_enabled = 1 and paused = ''", new { kind = EventKinds.Watch }), cancellationToken)
            .ConfigureAwait(false);
        foreach (var trigger in triggers)
        {
            try
            {
                await LookAsync(trigger, (IWatchSettings)trigger.Read(), cancellationToken).ConfigureAwait(false);
                _said.Remove(trigger.Name);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or UserInputException or InvalidDataException)
            {
                if (_said.Add(trigger.Name))
                    OrchestratorLog.FolderNotWatched(logger, trigger.Name, e.Message);
            }
        }
    }

    private async Task LookAsync(TriggerRow trigger, IWatchSettings settings, CancellationToken cancellationToken)
    {
        folders.Check(settings.Path);
        var files = Files(settings);
        var known = (await database.ReadAsync(
            connection => connection.QueryAsync<FileState>("select path, size, modified from watched_file where trigger_name = @Name", new { trigger.Name }),
            cancellationToken).ConfigureAwait(false)).ToDictionary(f => f.Path);
        var changed = files.Where(f => !known.TryGetValue(f.Path, out var before) || before.Size != f.Size || before.Modified != f.Modified).ToList();
        if (!known.ContainsKey(Looked))
        {
            await KeepAsync(trigger, [.. changed, new FileState { Path = Looked }], isNews: false, cancellationToken).ConfigureAwait(false);
            return;
        }
        var settled = changed.Where(f => IsSettled(trigger.Name, f, settings.Settle)).ToList();
        if (settled.Count > 0)
            await KeepAsync(trigger, settled, isNews: true, cancellationToken).ConfigureAwait(false);
        foreach (var file in settled)
            _unsettled.Remove((trigger.Name, file.Path));
    }

    // More are refused: of those left out nobody would ever hear.
    private static List<FileState> Files(IWatchSettings settings)
    {
        var files = new DirectoryInfo(settings.Path).EnumerateFiles("*", Walk)
            .Where(f => Glob.IsMatch(settings.Pattern, f.Name))
            .Take(MostFiles + 1)
            .Select(f => new FileState { Path = f.FullName, Size = f.Length, Modified = new DateTimeOffset(f.LastWriteTimeUtc).ToUnixTimeMilliseconds() })
            .ToList();
        return files.Count <= MostFiles
            ? files
            : throw new InvalidDataException(
                $"The folder {settings.Path} holds more than {MostFiles} files that match '{settings.Pattern}': move old ones away, or narrow the pattern.");
    }

    private bool IsSettled(string trigger, FileState file, TimeSpan settle)
    {
        var key = (trigger, file.Path);
        if (!_unsettled.TryGetValue(key, out var seen) || seen.File.Size != file.Size || seen.File.Modified != file.Modified)
            seen = _unsettled[key] = (file, time.GetTimestamp());
        return time.GetElapsedTime(seen.Since) >= settle;
    }

    private Task KeepAsync(TriggerRow trigger, IReadOnlyList<FileState> files, bool isNews, CancellationToken cancellationToken) =>
        database.WriteAsync(async transaction =>
        {
            foreach (var file in files)
            {
                await transaction.ExecuteAsync(
                    """
                    insert into watched_file (trigger_name, path, size, modified) values (@Name, @Path, @Size, @Modified)
                    on conflict (trigger_name, path) do update set size = excluded.size, modified = excluded.modified
                    """, new { trigger.Name, file.Path, file.Size, file.Modified }).ConfigureAwait(false);
                if (!isNews)
                    continue;
                await transaction.AddEventAsync(new HappenedEvent
                {
                    Key = $"file/{trigger.Name}/{file.Modified}/{file.Size}/{file.Path}",
                    Kind = EventKinds.Watch,
                    Target = trigger.Name,
                    Fields = new
                    {
                        path = file.Path, name = Path.GetFileName(file.Path), size = file.Size,
                        modified = $"{Times.Of(file.Modified):yyyy-MM-ddTHH:mm:ss.fffZ}",
                    },
                }).ConfigureAwait(false);
            }
        }, cancellationToken);

    private sealed class FileState
    {
        public string Path { get; init; } = "";
        public long Size { get; init; }
        public long Modified { get; init; }
    }
}
