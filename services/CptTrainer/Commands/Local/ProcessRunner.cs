namespace Espalier.CptTrainer.Commands.Local;

/// <summary>Runs programs on this machine, each as a process group of its own, which cannot outlive this process.</summary>
internal sealed class ProcessRunner(DirectoryInfo cache, TimeSpan grace) : IProgramRunner
{
    public string Root => cache.FullName;

    public Task EndEarlierAsync(string stepKey, CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task<ProgramEnd> RunAsync(ProgramRun run, ProgramReports reports, CancellationToken cancellationToken)
    {
        var options = run.Options;
        var code = await new ProgramGroup(grace, reports.Add).RunAsync(
            options.Command, run.Folder.Path, options.Environment ?? new Dictionary<string, string>(), cancellationToken).ConfigureAwait(false);
        // What the system does when memory runs out: signal 9.
        return new ProgramEnd(code, IsOutOfMemory: code == 128 + 9);
    }
}
