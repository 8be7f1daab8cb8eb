using System.Globalization;

namespace Espalier.Cli.Hosting;

/// <summary>Writes log lines to one file, so that the terminal belongs to progress and results. The file starts over at 10 MB.</summary>
internal sealed class FileLog : ILoggerProvider
{
    private const long MaxBytes = 10_000_000;
    private readonly StreamWriter _writer;
    private readonly Lock _lock = new();

    public FileLog(string path)
    {
        var mode = File.Exists(path) && new FileInfo(path).Length > MaxBytes ? FileMode.Create : FileMode.Append;
        _writer = new StreamWriter(new FileStream(path, mode, FileAccess.Write, FileShare.ReadWrite)) { AutoFlush = true };
    }

    public ILogger CreateLogger(string categoryName) => new Category(this, categoryName);

    public void Dispose()
    {
        lock (_lock)
            _writer.Dispose();
    }

    private sealed class Category(FileLog log, string name) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var line = string.Create(CultureInfo.InvariantCulture, $"{TimeProvider.System.GetUtcNow():O} {logLevel} {name} {formatter(state, exception)}");
            lock (log._lock)
                log._writer.WriteLine(exception is null ? line : $"{line}{Environment.NewLine}{exception}");
        }
    }
}
