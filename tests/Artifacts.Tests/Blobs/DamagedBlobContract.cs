using Azure.Storage.Blobs;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.TestKit.Servers;

namespace Espalier.Artifacts.Tests.Blobs;

/// <summary>No byte of a damaged blob is ever given out, however it is read; one derived class per backend.</summary>
public abstract class DamagedBlobContract
{
    /// <summary>The store as another process opens it.</summary>
    protected abstract IBlobStore Open();

    protected abstract Task<byte[]> ReadRawAsync(Digest blob);

    protected abstract Task WriteRawAsync(Digest blob, byte[] bytes);

    /// <summary>What was set aside, or null.</summary>
    protected abstract Task<byte[]?> ReadAsideAsync(Digest blob);

    public static TheoryData<string, int> Reads
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (var read in new[] { "whole", "first range", "last range", "stream", "stream of a range" })
                foreach (var length in new[] { 5000, 9_000_000 }) // in one part, and in several
                    data.Add(read, length);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Reads))]
    public async Task FirstRead_OfAFlippedBit_IsRefusedAndTheBlobCountsAsMissing(string read, int length)
    {
        var blob = (await Open().PutAsync(Bytes(length), default)).Digest;
        await FlipAsync(blob, length / 2);
        var store = Open();

        var error = await Should.ThrowAsync<DamagedBlobException>(() => ReadAsync(store, read, blob, length));

        error.Blob.ShouldBe(blob);
        error.Message.ShouldContain(blob.Hex);
        error.Message.ShouldContain("run its pipeline again");
        (await store.ExistsAsync(blob, default)).ShouldBeFalse();
        (await store.FindLengthAsync(blob, default)).ShouldBeNull();
        (await ReadAsideAsync(blob))!.Length.ShouldBe(length); // never deleted
        (await Should.ThrowAsync<DamagedBlobException>(() => ReadAsync(Open(), read, blob, length))).Message.ShouldContain("was set aside as");
    }

    [Fact]
    public async Task Put_AfterDamage_HealsTheStore()
    {
        var store = Open();
        var blob = (await store.PutAsync(Bytes(5000), default)).Digest;
        await FlipAsync(blob, 4999);
        await Should.ThrowAsync<DamagedBlobException>(() => ReadAsync(store, "whole", blob, 5000));

        (await store.PutAsync(Bytes(5000), default)).IsNew.ShouldBeTrue();

        await ReadAsync(store, "whole", blob, 5000);
        await ReadAsync(Open(), "stream", blob, 5000);
        await store.VerifyAsync(blob, null, default);
    }

    [Fact]
    public async Task Put_OverABlobThatWasCutOff_HealsTheStore()
    {
        var blob = (await Open().PutAsync(Bytes(5000), default)).Digest;
        await WriteRawAsync(blob, Bytes(4000));

        (await Open().PutAsync(Bytes(5000), default)).IsNew.ShouldBeTrue();

        await ReadAsync(Open(), "whole", blob, 5000);
        (await ReadAsideAsync(blob))!.Length.ShouldBe(4000);
    }

    [Fact]
    public async Task Verify_OfABlobThatWasReadBefore_ReadsItAgain()
    {
        var store = Open();
        var blob = (await store.PutAsync(Bytes(3_000_000), default)).Digest;
        await ReadAsync(store, "whole", blob, 3_000_000);
        long read = 0;
        await store.VerifyAsync(blob, bytes => read += bytes, default);
        await FlipAsync(blob, 0);

        (await Should.ThrowAsync<DamagedBlobException>(() => store.VerifyAsync(blob, null, default))).Blob.ShouldBe(blob);

        read.ShouldBe(3_000_000);
    }

    [Fact]
    public async Task FirstRead_ManyAtOnce_AllGetTheirBytesOrAllAreRefused()
    {
        var whole = (await Open().PutAsync(Bytes(200_000), default)).Digest;
        var damaged = (await Open().PutAsync(Bytes(200_001), default)).Digest;
        await FlipAsync(damaged, 100);
        var store = Open();

        await Task.WhenAll(Enumerable.Range(0, 16).Select(i => ReadAsync(store, i % 2 == 0 ? "first range" : "stream of a range", whole, 200_000)));
        var refusals = new List<Exception>();
        foreach (var read in Enumerable.Range(0, 16).Select(_ => ReadAsync(store, "last range", damaged, 200_001)).ToList())
            refusals.Add(await Should.ThrowAsync<Exception>(() => read));
        // The damaged bytes are put aside when the first have seen them: whoever is scheduled after that finds none.
        refusals.ShouldAllBe(refusal => refusal is DamagedBlobException || refusal is MissingBlobException);
        refusals.ShouldContain(refusal => refusal is DamagedBlobException);
    }

    protected static byte[] Bytes(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }

    private async Task FlipAsync(Digest blob, int at)
    {
        var bytes = await ReadRawAsync(blob);
        bytes[at] ^= 1;
        await WriteRawAsync(blob, bytes);
    }

    private static Task ReadAsync(IBlobStore store, string read, Digest blob, int length) => read switch
    {
        "whole" => ReadExactlyAsync(store, blob, 0, length),
        "first range" => ReadExactlyAsync(store, blob, 0, 10),
        "last range" => ReadExactlyAsync(store, blob, length - 10, 10),
        "stream" => StreamAsync(store, blob, 0, null, length),
        _ => StreamAsync(store, blob, 100, 50, 50),
    };

    private static Task ReadExactlyAsync(IBlobStore store, Digest blob, long offset, int length) => Task.Run(() =>
    {
        var bytes = new byte[length];
        store.ReadExactly(blob, offset, bytes);
    });

    private static async Task StreamAsync(IBlobStore store, Digest blob, long offset, long? count, int length)
    {
        await using var stream = await store.OpenReadAsync(blob, offset, count, default);
        await stream.ReadExactlyAsync(new byte[length]); // not one byte more, so the end is never asked for
    }
}

public sealed class DamagedFileTests : DamagedBlobContract, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Put_OverADamagedBlobThatNobodyRead_HealsTheStore()
    {
        var blob = (await Open().PutAsync(Bytes(5000), default)).Digest;
        var bytes = await ReadRawAsync(blob);
        bytes[1]++;
        await WriteRawAsync(blob, bytes);

        (await Open().PutAsync(new MemoryStream(Bytes(5000)), default)).IsNew.ShouldBeTrue();

        (await ReadRawAsync(blob)).ShouldBe(Bytes(5000));
        (await ReadAsideAsync(blob)).ShouldBe(bytes);
    }

    [Fact]
    public async Task CachingBlobStore_DamagedCopy_IsFetchedAgain()
    {
        var remote = Open();
        var blob = (await remote.PutAsync(Bytes(100), default)).Digest;
        new CachingBlobStore(remote, _folder["cache"], 1000).ReadExactly(blob, 0, new byte[100]);
        var copy = _folder[$"cache/blobs/{blob.Hex[..2]}/{blob.Hex[2..]}"];
        File.Delete(copy);
        File.WriteAllBytes(copy, new byte[100]);

        var read = new byte[100];
        new CachingBlobStore(remote, _folder["cache"], 1000).ReadExactly(blob, 0, read);

        read.ShouldBe(Bytes(100));
        Directory.Exists(_folder["cache/damaged"]).ShouldBeFalse();
    }

    protected override IBlobStore Open() => new FileBlobStore(_folder["store"], new FileBlobStoreOptions { IsDurable = false });

    protected override Task<byte[]> ReadRawAsync(Digest blob) => File.ReadAllBytesAsync(PathOf(blob));

    protected override Task WriteRawAsync(Digest blob, byte[] bytes)
    {
        File.Delete(PathOf(blob));
        return File.WriteAllBytesAsync(PathOf(blob), bytes);
    }

    protected override async Task<byte[]?> ReadAsideAsync(Digest blob) =>
        File.Exists(_folder[$"store/damaged/{blob.Hex}"]) ? await File.ReadAllBytesAsync(_folder[$"store/damaged/{blob.Hex}"]) : null;

    private string PathOf(Digest blob) => _folder[$"store/blobs/{blob.Hex[..2]}/{blob.Hex[2..]}"];
}

[Collection(AzuriteCollection.Name)]
public sealed class DamagedAzureBlobTests(AzuriteServer server) : DamagedBlobContract
{
    private readonly string _name = AzuriteServer.NewContainerName();

    protected override IBlobStore Open() => AzureBlobStore.Open(server.ConnectionString, _name);

    protected override async Task<byte[]> ReadRawAsync(Digest blob) =>
        (await Client($"blobs/{blob.Hex[..2]}/{blob.Hex[2..]}").DownloadContentAsync()).Value.Content.ToArray();

    protected override Task WriteRawAsync(Digest blob, byte[] bytes) =>
        Client($"blobs/{blob.Hex[..2]}/{blob.Hex[2..]}").UploadAsync(BinaryData.FromBytes(bytes), overwrite: true);

    protected override async Task<byte[]?> ReadAsideAsync(Digest blob)
    {
        var aside = Client($"damaged/{blob.Hex}");
        return await aside.ExistsAsync() ? (await aside.DownloadContentAsync()).Value.Content.ToArray() : null;
    }

    private BlobClient Client(string name) => new BlobContainerClient(server.ConnectionString, _name).GetBlobClient(name);
}
