using System.Runtime.InteropServices;

namespace Espalier.Datasets.Building;

/// <summary>A document under a hash.</summary>
/// <param name="Key">First by this.</param>
/// <param name="Second">Then by this.</param>
/// <param name="Document">Then by the document's number.</param>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal readonly record struct HashRecord(ulong Key, ulong Second, int Document) : IComparable<HashRecord>
{
    public int CompareTo(HashRecord other)
    {
        var order = Key.CompareTo(other.Key);
        if (order == 0)
            order = Second.CompareTo(other.Second);
        return order == 0 ? Document.CompareTo(other.Document) : order;
    }
}

/// <summary>
/// Any number of records in their order with bounded memory: sorted runs on disk, merged while they are read. Few records never reach
/// the disk.
/// </summary>
/// <param name="folder">Where the runs go.</param>
/// <param name="recordsInMemory">Records of one run.</param>
internal sealed class HashOrder(string folder, int recordsInMemory = 1 << 21) : IDisposable
{
    private const int BufferRecords = 1 << 12;
    private static readonly int RecordBytes = Marshal.SizeOf<HashRecord>();

    private readonly List<HashRecord> _latest = [];
    private readonly List<(long From, long Count)> _runs = [];
    private ScratchFile? _file;

    public void Add(HashRecord record)
    {
        _latest.Add(record);
        if (_latest.Count >= recordsInMemory)
            WriteRun();
    }

    /// <summary>All records, smallest first. Nothing may be added meanwhile.</summary>
    public IEnumerable<HashRecord> InOrder()
    {
        CollectionsMarshal.AsSpan(_latest).Sort();
        if (_runs.Count == 0)
            return _latest;
        _file!.Flush();
        return Merge([.. _runs.Select(run => ReadRun(run.From, run.Count)), _latest]);
    }

    /// <summary>The documents of every hash that several have, in order.</summary>
    public IEnumerable<IReadOnlyList<int>> Groups()
    {
        var group = new List<int>();
        var last = default(HashRecord);
        foreach (var record in InOrder())
        {
            if (group.Count > 0 && (record.Key != last.Key || record.Second != last.Second))
            {
                if (group.Count > 1)
                    yield return group;
                group.Clear();
            }
            group.Add(record.Document);
            last = record;
        }
        if (group.Count > 1)
            yield return group;
    }

    public void Dispose() => _file?.Dispose();

    private void WriteRun()
    {
        var records = CollectionsMarshal.AsSpan(_latest);
        records.Sort();
        _file ??= new ScratchFile(folder);
        _runs.Add((_file.Length, records.Length));
        _file.Append(MemoryMarshal.AsBytes(records));
        _latest.Clear();
    }

    private IEnumerable<HashRecord> ReadRun(long from, long count)
    {
        var buffer = new HashRecord[(int)Math.Min(BufferRecords, count)];
        for (var done = 0L; done < count;)
        {
            var size = (int)Math.Min(buffer.Length, count - done);
            _file!.ReadExactly(from + done * RecordBytes, MemoryMarshal.AsBytes(buffer.AsSpan(0, size)));
            done += size;
            for (var i = 0; i < size; i++)
                yield return buffer[i];
        }
    }

    private static IEnumerable<HashRecord> Merge(IReadOnlyList<IEnumerable<HashRecord>> runs)
    {
        var sources = runs.Select(run => run.GetEnumerator()).ToList();
        try
        {
            var queue = new PriorityQueue<IEnumerator<HashRecord>, HashRecord>();
            foreach (var source in sources.Where(source => source.MoveNext()))
                queue.Enqueue(source, source.Current);
            while (queue.TryPeek(out var next, out var record))
            {
                yield return record;
                if (next.MoveNext())
                    queue.DequeueEnqueue(next, next.Current);
                else
                    queue.Dequeue();
            }
        }
        finally
        {
            sources.ForEach(source => source.Dispose());
        }
    }
}
