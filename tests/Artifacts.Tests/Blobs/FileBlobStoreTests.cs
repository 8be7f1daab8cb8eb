using System.Diagnostics;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;

namespace Espalier.Artifacts.Tests.Blobs;

public sealed class FileBlobStoreTests : BlobStoreContract, IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FileBlobStore _store;

    public FileBlobStoreTests() => _store = new FileBlobStore(_folder.Path);

    protected override IBlobStore Store => _store;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task PutAsync_NewBlob_IsReadOnlyFileNamedByDigest()
    {
        var receipt = await _store.PutAsync(Bytes(1, 100), default);

        var path = _folder[$"blobs/{receipt.Digest.Hex[..2]}/{receipt.Digest.Hex[2..]}"];
        File.ReadAllBytes(path).ShouldBe(Bytes(1, 100));
        File.GetAttributes(path).HasFlag(FileAttributes.ReadOnly).ShouldBeTrue();
        Directory.GetFiles(_folder["tmp"]).ShouldBeEmpty();
    }

    [Fact]
    public void PutAsync_SameBytesFromManyThreads_IsStoredOnceWhoeverIsFirst()
    {
        var store = new FileBlobStore(_folder["shared"], new FileBlobStoreOptions { IsDurable = false });

        for (var round = 0; round < 100; round++)
        {
            var bytes = Bytes(round, 64);
            // Threads of their own that start together: on two cores the race needs both of them between one's two looks.
            using var start = new Barrier(8);
            var isNew = new bool[start.ParticipantCount];
            var threads = Enumerable.Range(0, isNew.Length).Select(i => new Thread(() =>
            {
                start.SignalAndWait();
                isNew[i] = store.PutAsync(bytes, default).GetAwaiter().GetResult().IsNew;
            })).ToList();
            threads.ForEach(t => t.Start());
            threads.ForEach(t => t.Join());
            isNew.Count(n => n).ShouldBe(1, $"round {round}");
        }
        Directory.GetFiles(_folder["shared/tmp"]).ShouldBeEmpty();
    }

    [Fact]
    public async Task PutAsync_DiskFull_SaysWhereAndHowMuchAndLeavesNothing()
    {
        var store = new FileBlobStore(_folder["small"], new FileBlobStoreOptions { ReservedBytes = long.MaxValue / 2 });

        var fromMemory = await Should.ThrowAsync<IOException>(() => store.PutAsync(new byte[2 << 20], default));
        var fromStream = await Should.ThrowAsync<IOException>(() => store.PutAsync(new MemoryStream(new byte[2 << 20]), default));

        // The free bytes in the text change while other programs write.
        foreach (var error in new[] { fromMemory, fromStream })
            error.Message.ShouldStartWith($"No space for 2097152 bytes in the store at {_folder["small"]}: ");
        Directory.GetFiles(_folder["small"], "*", SearchOption.AllDirectories).ShouldBeEmpty();
    }

    [Fact]
    public void Open_OldTemporaryFile_IsSweptAndYoungOneKept()
    {
        File.WriteAllText(_folder["tmp/old"], "x");
        File.WriteAllText(_folder["tmp/young"], "x");
        File.SetLastWriteTimeUtc(_folder["tmp/old"], DateTime.UtcNow - TimeSpan.FromHours(25));

        _ = new FileBlobStore(_folder.Path);

        Directory.GetFiles(_folder["tmp"]).ShouldBe([_folder["tmp/young"]]);
    }

    [Fact]
    public async Task PutAsync_BlobFileWasCutOff_IsReplacedByWholeOne()
    {
        var digest = Digest.Of(Bytes(1, 100));
        Directory.CreateDirectory(_folder[$"blobs/{digest.Hex[..2]}"]);
        File.WriteAllBytes(_folder[$"blobs/{digest.Hex[..2]}/{digest.Hex[2..]}"], Bytes(1, 10));

        var receipt = await _store.PutAsync(Bytes(1, 100), default);

        receipt.IsNew.ShouldBeTrue();
        (await _store.FindLengthAsync(digest, default)).ShouldBe(100);
    }

    [Fact]
    public async Task ListAsync_StrayFiles_AreNotBlobs()
    {
        Directory.CreateDirectory(_folder["blobs/zz"]);
        File.WriteAllText(_folder["blobs/zz/readme"], "x");

        (await _store.ListAsync(default).ToListAsync()).ShouldBeEmpty();
    }

    // The publish must be exclusive between processes too: the shell's 'ln' races with the store for the same names.
    [Fact]
    public async Task CreateRecordAsync_AgainstAnotherProcess_ExactlyOneWins()
    {
        const int Rounds = 300;
        Directory.CreateDirectory(_folder["records/race"]);
        File.WriteAllText(_folder["other"], "other");
        using var other = Process.Start(new ProcessStartInfo(
            "sh", ["-c", $"won=0; for i in $(seq {Rounds}); do ln other records/race/$i 2>/dev/null && won=$((won+1)); done; echo $won"])
        {
            WorkingDirectory = _folder.Path, RedirectStandardOutput = true,
        })!;
        var store = new FileBlobStore(_folder.Path, new FileBlobStoreOptions { IsDurable = false });
        var ours = 0;

        for (var i = Rounds; i > 0; i--) // from the other end, so that both win some
            ours += await store.CreateRecordAsync($"race/{i}", "ours"u8.ToArray(), default) ? 1 : 0;

        var theirs = int.Parse(await other.StandardOutput.ReadToEndAsync(), System.Globalization.CultureInfo.InvariantCulture);
        (ours + theirs).ShouldBe(Rounds);
        Directory.GetFiles(_folder["records/race"]).Count(f => File.ReadAllText(f) == "ours").ShouldBe(ours);
    }
}
