using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading.Channels;
using Espalier.Contracts;
using Microsoft.Win32.SafeHandles;

namespace Espalier.Stages.Worker.Isolation;

/// <summary>
/// The work process's end of the pipes. A thread of its own reads orders, so that a stage that computes in native code is
/// stopped, fenced, and ended with its worker all the same. (A parent-death signal would not do: Linux sends it when the
/// thread that started the process ends, and threads of a pool come and go.)
/// </summary>
internal sealed partial class WorkChannel : IDisposable
{
    private readonly Channel<StepAssignment> _assignments = Channel.CreateUnbounded<StepAssignment>();
    private readonly StreamWriter _reports;
    private readonly PosixSignalRegistration[] _signals;
    private readonly Lock _gate = new();
    private volatile CancellationTokenSource _stop = new();
    private volatile bool _isWorking;

    private WorkChannel(StreamWriter reports)
    {
        _reports = reports;
        // A signal to the process group is for the worker, which then asks this process to stop.
        _signals = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT }
            .Select(s => PosixSignalRegistration.Create(s, context => context.Cancel = true))];
        new Thread(ReadOrders) { IsBackground = true, Name = "orders" }.Start();
        new Thread(WatchLease) { IsBackground = true, Name = "lease" }.Start();
    }

    /// <summary>Asks the present attempt to save its position and stop.</summary>
    public CancellationToken Stop => _stop.Token;

    /// <summary>The present attempt's lease.</summary>
    public StepLease Lease { get; } = new(TimeSpan.FromMinutes(1), TimeProvider.System);

    /// <summary>Takes over standard output: what libraries print goes to standard error from now on.</summary>
    public static WorkChannel Open()
    {
        var reports = Duplicate(1);
        if (reports < 0 || DuplicateTo(2, 1) < 0)
            throw new IOException("Standard output cannot be duplicated.");
        Console.SetOut(Console.Error);
        PreferForMemoryKill();
        var stream = new FileStream(new SafeFileHandle(reports, ownsHandle: true), FileAccess.Write, bufferSize: 1);
        return new WorkChannel(new StreamWriter(stream, new UTF8Encoding(false)) { AutoFlush = true });
    }

    /// <summary>The next assignment, or null when the worker is gone.</summary>
    public async Task<StepAssignment?> NextAssignmentAsync()
    {
        if (!await _assignments.Reader.WaitToReadAsync().ConfigureAwait(false))
            return null;
        return await _assignments.Reader.ReadAsync().ConfigureAwait(false);
    }

    /// <summary>Sends a report.</summary>
    public void Send(WorkReport report)
    {
        lock (_gate)
        {
            if (report.Outcome is not null)
                _isWorking = false;
            _reports.WriteLine(WorkLine.Write(report));
        }
    }

    public void Dispose()
    {
        foreach (var signal in _signals)
            signal.Dispose();
    }

    private void ReadOrders()
    {
        using var orders = new StreamReader(Console.OpenStandardInput(), Encoding.UTF8);
        while (orders.ReadLine() is { } line)
        {
            var order = WorkLine.Read<WorkOrder>(line)!;
            if (order.Lease is { } lease)
                Lease.Set(lease);
            if (order.Stop is true)
                _stop.Cancel();
            if (order.Assignment is { } assignment)
            {
                _stop = new CancellationTokenSource();
                _isWorking = true;
                _assignments.Writer.TryWrite(assignment);
            }
        }
        // The worker is gone: nobody waits for this work, and somebody else may do it soon.
        Process.GetCurrentProcess().Kill();
    }

    private void WatchLease()
    {
        using var never = new ManualResetEventSlim();
        while (!never.Wait(TimeSpan.FromMilliseconds(200)))
        {
            if (_isWorking && Lease.IsOver)
                Process.GetCurrentProcess().Kill();
        }
    }

    /// <summary>When memory runs out, the kernel should end this process and not the worker.</summary>
    private static void PreferForMemoryKill()
    {
        try
        {
            File.WriteAllText("/proc/self/oom_score_adj", "500");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not every system lets a process say so.
        }
    }

    [LibraryImport("libc", EntryPoint = "dup", SetLastError = true)]
    private static partial int Duplicate(int descriptor);

    [LibraryImport("libc", EntryPoint = "dup2", SetLastError = true)]
    private static partial int DuplicateTo(int descriptor, int target);
}
