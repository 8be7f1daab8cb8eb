using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints.Families;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>
/// Builds one checkpoint (or trainer state) in a store, tensor by tensor, and publishes its manifest last. The manifest is a
/// function of names and bytes alone: neither the order of calls nor the way a tensor came in (<see
/// cref="AddTensorAsync(string, string, IReadOnlyList{long}, ReadOnlyMemory{byte}, CancellationToken)"/>
/// or <see cref="AddExisting"/>) changes its root. Adding is safe from several threads at once.
/// </summary>
/// <param name="store">Where it is published.</param>
/// <param name="kind">What it is.</param>
/// <param name="content">Where the bytes of files and tensors go; null for the blobs of the store.</param>
public sealed class CheckpointWriter(ArtifactStore store, ArtifactKind kind = ArtifactKind.Checkpoint, IBlobSink? content = null) : IDisposable
{
    private const int ParallelPuts = 8;
    private const int BackgroundBytes = 16 << 20;
    private readonly IBlobSink _content = content ?? store.Blobs;
    private readonly SemaphoreSlim _slots = new(ParallelPuts);
    private readonly List<Task> _puts = [];
    private readonly ConcurrentDictionary<string, TensorHeader> _headers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, TensorEntry> _stored = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, FileEntry> _files = new(StringComparer.Ordinal);
    private readonly SmallTensorBuffer _small = new();
    private readonly Lock _lock = new();
    private readonly List<Parent> _parents = [];
    private readonly List<ExpertOrigin> _origins = [];
    private JsonObject? _properties;
    private byte[]? _config;
    private int _isCommitted;

    /// <summary>
    /// Adds a tensor. The bytes are stored or copied before the call returns; a few copies are stored in the background,
    /// and a failure there comes out of a later call, at the latest of <see cref="CommitAsync"/>.
    /// </summary>
    /// <param name="name">Name as on disk in the Hugging Face layout.</param>
    /// <param name="dtype">safetensors name of the element type.</param>
    /// <param name="shape">Extents.</param>
    /// <param name="bytes">Little-endian elements in C order.</param>
    /// <param name="cancellationToken">Stops; nothing is published then.</param>
    /// <exception cref="ArgumentException">The name is taken, or the bytes do not fit type and shape.</exception>
    public async Task AddTensorAsync(string name, string dtype, IReadOnlyList<long> shape, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        var header = Register(name, dtype, shape);
        TensorBytesExtensions.CheckWhole(header, bytes.Length);
        if (bytes.Length < TensorPacking.SmallBytes)
        {
            _small.Add(name, bytes.Span);
            return;
        }
        await _slots.WaitAsync(cancellationToken).ConfigureAwait(false);
        var put = PutAsync(header, bytes.Length <= BackgroundBytes ? bytes.ToArray() : bytes, cancellationToken);
        if (bytes.Length > BackgroundBytes)
            await put.ConfigureAwait(false);
        else
            lock (_lock)
                _puts.Add(put);
    }

    /// <summary>Adds a tensor from a stream, so that memory need not hold it whole.</summary>
    /// <exception cref="ArgumentException">The name is taken, or the stream's length does not fit type and shape.</exception>
    public async Task AddTensorAsync(string name, string dtype, IReadOnlyList<long> shape, Stream bytes, CancellationToken cancellationToken)
    {
        if (TensorTypes.CountBytes(dtype, shape) < TensorPacking.SmallBytes)
        {
            var memory = new MemoryStream();
            await bytes.CopyToAsync(memory, cancellationToken).ConfigureAwait(false);
            await AddTensorAsync(name, dtype, shape, memory.ToArray(), cancellationToken).ConfigureAwait(false);
            return;
        }
        var header = Register(name, dtype, shape);
        var receipt = await _content.PutAsync(bytes, cancellationToken).ConfigureAwait(false);
        if (receipt.SizeBytes != header.SizeBytes)
            throw new ArgumentException($"'{name}' has {header.SizeBytes} bytes; the stream had {receipt.SizeBytes}.");
        _stored[name] = Entry(header, receipt.Digest, 0);
    }

    /// <summary>
    /// Adds a tensor that is in the store already, under its own or another name. No bytes move, unless only part of a pack
    /// of small tensors stays the same.
    /// </summary>
    public void AddExisting(TensorEntry entry, string? newName = null)
    {
        var header = Register(newName ?? entry.Name, entry.DType, entry.Shape);
        TensorBytesExtensions.CheckWhole(header, entry.SizeBytes);
        _stored[header.Name] = Entry(header, entry.Blob, entry.Offset);
    }

    /// <summary>Adds a file: <c>config.json</c>, <c>tokenizer.json</c>.</summary>
    /// <exception cref="ArgumentException">The path is taken, or leads out of the checkpoint.</exception>
    public async Task AddFileAsync(string path, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        EntryPath.Check(path);
        var receipt = await _content.PutAsync(bytes, cancellationToken).ConfigureAwait(false);
        AddExisting(new FileEntry(path, receipt.Digest, receipt.SizeBytes));
    }

    /// <summary>
    /// Adds the <c>config.json</c> of a checkpoint that is made here. Where codes stand for some of its matrices, the list of modules that keep
    /// their weights is completed from the tensors at the end.
    /// </summary>
    public void AddConfig(byte[] config) => _config = config;

    /// <summary>Adds a file that is in the store already.</summary>
    public void AddExisting(FileEntry file)
    {
        CheckOpen();
        if (!_files.TryAdd(EntryPath.Check(file.Path), file))
            throw new ArgumentException($"The file '{file.Path}' was added before.");
    }

    /// <summary>Names an artifact that this one was made from.</summary>
    public void AddParent(Parent parent)
    {
        lock (_lock)
            _parents.Add(parent);
    }

    /// <summary>Says where an expert came from.</summary>
    public void AddExpertOrigin(ExpertOrigin origin)
    {
        lock (_lock)
            _origins.Add(origin);
    }

    /// <summary>Sets the small facts that later steps read.</summary>
    public void SetProperties(JsonObject properties)
    {
        lock (_lock)
            _properties = properties;
    }

    /// <summary>Stores the packs, then publishes the manifest. The writer is finished afterwards.</summary>
    public async Task<ManifestRef> CommitAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _config, null) is { } config)
            await AddFileAsync(SideFiles.Config, KeptModules.Complete(config, [.. _headers.Values]), cancellationToken).ConfigureAwait(false);
        if (Interlocked.Exchange(ref _isCommitted, 1) != 0)
            throw new InvalidOperationException("This checkpoint is committed already.");
        await Task.WhenAll(_puts).ConfigureAwait(false);
        await StorePacksAsync(cancellationToken).ConfigureAwait(false);
        _small.Dispose();
        if (_headers.Keys.FirstOrDefault(n => !_stored.ContainsKey(n)) is { } lost)
            throw new InvalidOperationException($"The bytes of tensor '{lost}' were never stored: adding it failed or has not ended.");
        var manifest = new Manifest
        {
            Kind = kind,
            Files = [.. _files.Values.OrderBy(f => f.Path, StringComparer.Ordinal)],
            Tensors = [.. _stored.Values.OrderBy(t => t.Name, StringComparer.Ordinal)],
            Parents = [.. _parents.Distinct()],
            Experts = [.. _origins.OrderBy(o => o.Layer).ThenBy(o => o.Expert)],
            Properties = _properties,
        };
        return await store.PublishAsync(manifest, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Lets go of what was not committed.</summary>
    public void Dispose() => _small.Dispose();

    private async Task PutAsync(TensorHeader header, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        try
        {
            var receipt = await _content.PutAsync(bytes, cancellationToken).ConfigureAwait(false);
            _stored[header.Name] = Entry(header, receipt.Digest, 0);
        }
        finally
        {
            _slots.Release();
        }
    }

    private Task StorePacksAsync(CancellationToken cancellationToken) =>
        Parallel.ForEachAsync(
            _headers.Values.Where(h => h.SizeBytes < TensorPacking.SmallBytes).GroupBy(h => TensorPacking.GroupOf(h.Name), StringComparer.Ordinal).ToList(),
            new ParallelOptions { MaxDegreeOfParallelism = ParallelPuts, CancellationToken = cancellationToken },
            async (group, token) => await StorePackAsync([.. group.OrderBy(h => h.Name, StringComparer.Ordinal)], token).ConfigureAwait(false));

    private async Task StorePackAsync(List<TensorHeader> members, CancellationToken cancellationToken)
    {
        if (await IsPackAlreadyAsync(members, cancellationToken).ConfigureAwait(false))
            return;
        var pack = new byte[members.Sum(m => m.SizeBytes)];
        var offset = 0;
        foreach (var member in members)
        {
            var part = pack.AsSpan(offset, (int)member.SizeBytes);
            if (_stored.TryGetValue(member.Name, out var entry))
                store.Blobs.ReadExactly(entry.Blob, entry.Offset, part);
            else
                _small.CopyTo(member.Name, part);
            offset += part.Length;
        }
        var receipt = await _content.PutAsync(pack, cancellationToken).ConfigureAwait(false);
        offset = 0;
        foreach (var member in members)
        {
            _stored[member.Name] = Entry(member, receipt.Digest, offset);
            offset += (int)member.SizeBytes;
        }
    }

    /// <summary>Whether the members are, in this order, exactly one blob that exists.</summary>
    private async Task<bool> IsPackAlreadyAsync(List<TensorHeader> members, CancellationToken cancellationToken)
    {
        long offset = 0;
        Digest blob = default;
        foreach (var member in members)
        {
            if (!_stored.TryGetValue(member.Name, out var entry) || entry.Offset != offset || offset > 0 && entry.Blob != blob)
                return false;
            blob = entry.Blob;
            offset += entry.SizeBytes;
        }
        return await store.Blobs.FindLengthAsync(blob, cancellationToken).ConfigureAwait(false) == offset;
    }

    private TensorHeader Register(string name, string dtype, IReadOnlyList<long> shape)
    {
        CheckOpen();
        ArgumentException.ThrowIfNullOrEmpty(name);
        var header = new TensorHeader(name, dtype, [.. shape], TensorTypes.CountBytes(dtype, shape));
        return _headers.TryAdd(name, header) ? header : throw new ArgumentException($"The tensor '{name}' was added before.");
    }

    private void CheckOpen()
    {
        lock (_lock)
        {
            _puts.RemoveAll(p => p.IsCompletedSuccessfully); // their bytes go with them
            _puts.Find(p => p.IsFaulted)?.GetAwaiter().GetResult(); // done: throws what went wrong
        }
        if (Volatile.Read(ref _isCommitted) != 0)
            throw new InvalidOperationException("This checkpoint is committed; start another writer.");
    }

    private static TensorEntry Entry(TensorHeader header, Digest blob, long offset) =>
        new(header.Name, header.DType, header.Shape, blob, offset, header.SizeBytes);
}
