using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;

namespace Espalier.Artifacts.Tests.Blobs;

/// <summary>What every store must do; one derived class per backend.</summary>
public abstract class BlobStoreContract
{
    protected abstract IBlobStore Store { get; }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(70_000)]
    [InlineData(17_000_000)]
    public async Task PutAsync_FromMemoryThenStreams_StoresOnce(int length)
    {
        var bytes = Bytes(length, length);

        var first = await Store.PutAsync(bytes, default);
        var seekable = await Store.PutAsync(new MemoryStream(bytes), default);
        var forward = await Store.PutAsync(new ForwardOnlyStream(bytes), default);

        first.ShouldBe(new BlobReceipt(Digest.Of(bytes), length, IsNew: true));
        seekable.ShouldBe(first with { IsNew = false });
        forward.ShouldBe(first with { IsNew = false });
        (await ReadAsync(first.Digest, 0, null)).SequenceEqual(bytes).ShouldBeTrue();
        var copy = new byte[length];
        Store.ReadExactly(first.Digest, 0, copy);
        copy.SequenceEqual(bytes).ShouldBeTrue();
        (await Store.FindLengthAsync(first.Digest, default)).ShouldBe(length);
        (await Store.ExistsAsync(first.Digest, default)).ShouldBeTrue();
    }

    [Theory]
    [InlineData(12)]
    [InlineData(9_000_000)]
    public async Task PutAsync_FromForwardOnlyStream_Stores(int length)
    {
        var bytes = Bytes(length + 1, length);

        var receipt = await Store.PutAsync(new ForwardOnlyStream(bytes), default);

        receipt.ShouldBe(new BlobReceipt(Digest.Of(bytes), length, IsNew: true));
        (await ReadAsync(receipt.Digest, 0, null)).SequenceEqual(bytes).ShouldBeTrue();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(70_000)]
    [InlineData(17_000_000)]
    public async Task OwnedBlobs_OfEqualContent_AreApartAndGoWithTheirOwner(int length)
    {
        var bytes = Bytes(length, length);
        var shared = await Store.PutAsync(bytes, default);
        var artifacts = new ArtifactStore(Store);
        var (owner, other) = (Digest.Of("owner"u8), Digest.Of("other"u8));

        var first = await CommitAsync(owner, 1, bytes);
        var second = await CommitAsync(owner, 2, bytes);
        var others = await CommitAsync(other, 1, bytes);

        foreach (var saved in new[] { first, second, others })
            (await CheckpointReader.OpenAsync(artifacts, saved, default)).ReadFile("content").SequenceEqual(bytes).ShouldBeTrue();
        await OwnedArtifact.DeleteAsync(artifacts, first.Root, other);
        (await Store.ExistsAsync(first.Root, default)).ShouldBeTrue("it is another's");
        var gone = await BlobOfAsync(first);
        await OwnedArtifact.DeleteAsync(artifacts, first.Root, owner, second.Root);
        (await Store.ExistsAsync(first.Root, default), await Store.ExistsAsync(gone, default)).ShouldBe((false, false));
        (await CheckpointReader.OpenAsync(artifacts, second, default)).ReadFile("content").SequenceEqual(bytes).ShouldBeTrue();
        (await CheckpointReader.OpenAsync(artifacts, others, default)).ReadFile("content").SequenceEqual(bytes).ShouldBeTrue();
        (await Store.ExistsAsync(shared.Digest, default)).ShouldBeTrue();
        await OwnedArtifact.DeleteAsync(artifacts, first.Root, owner); // again: nothing is there

        async Task<ManifestRef> CommitAsync(Digest whose, long number, byte[] content)
        {
            using var writer = new CheckpointWriter(artifacts, ArtifactKind.TrainerState, new OwnedBlobs(Store, whose, number));
            writer.SetProperties(OwnedArtifact.PropertiesOf(whose));
            await writer.AddFileAsync("content", content, default);
            await writer.AddTensorAsync("t", "U8", [content.Length], new MemoryStream(content), default);
            return await writer.CommitAsync(default);
        }

        async Task<Digest> BlobOfAsync(ManifestRef saved) => (await artifacts.ReadAsync(saved.Root, default)).Files.Single().Blob;
    }

    [Fact]
    public async Task OwnedBlobs_WrittenAgain_KeepWhatTheNewerNeeds()
    {
        var artifacts = new ArtifactStore(Store);
        var owner = Digest.Of("owner again"u8);
        var (first, second) = (await CommitAsync("a", "one"), await CommitAsync("a", "two"));

        await OwnedArtifact.DeleteAsync(artifacts, first.Root, owner, second.Root);
        await OwnedArtifact.DeleteAsync(artifacts, second.Root, owner, second.Root); // a position that was saved twice

        var left = await CheckpointReader.OpenAsync(artifacts, second, default);
        (System.Text.Encoding.UTF8.GetString(left.ReadFile("same")), System.Text.Encoding.UTF8.GetString(left.ReadFile("own"))).ShouldBe(("a", "two"));

        async Task<ManifestRef> CommitAsync(string same, string own)
        {
            using var writer = new CheckpointWriter(artifacts, ArtifactKind.TrainerState, new OwnedBlobs(Store, owner, 1));
            writer.SetProperties(OwnedArtifact.PropertiesOf(owner));
            await writer.AddFileAsync("same", System.Text.Encoding.UTF8.GetBytes(same), default);
            await writer.AddFileAsync("own", System.Text.Encoding.UTF8.GetBytes(own), default);
            return await writer.CommitAsync(default);
        }
    }

    [Fact]
    public async Task PutAsync_StreamStartsInTheMiddle_StoresTheRest()
    {
        var stream = new MemoryStream(Bytes(1, 100)) { Position = 60 };

        var receipt = await Store.PutAsync(stream, default);

        receipt.Digest.ShouldBe(Digest.Of(Bytes(1, 100).AsSpan(60)));
        receipt.SizeBytes.ShouldBe(40);
    }

    [Fact]
    public async Task OpenReadAsync_Ranges_GiveExactlyThoseBytes()
    {
        var bytes = Bytes(2, 5000);
        var blob = (await Store.PutAsync(bytes, default)).Digest;

        (await ReadAsync(blob, 0, 10)).ShouldBe(bytes[..10]);
        (await ReadAsync(blob, 4990, null)).ShouldBe(bytes[4990..]);
        (await ReadAsync(blob, 1234, 2000)).ShouldBe(bytes[1234..3234]);
        (await ReadAsync(blob, 5000, null)).ShouldBeEmpty();
        (await ReadAsync(blob, 77, 0)).ShouldBeEmpty();
        var part = new byte[100];
        Store.ReadExactly(blob, 4900, part);
        part.ShouldBe(bytes[4900..]);
    }

    [Fact]
    public async Task OpenReadAsync_BeyondEnd_IsRefused()
    {
        var blob = (await Store.PutAsync(Bytes(3, 50), default)).Digest;

        await Should.ThrowAsync<EndOfStreamException>(() => ReadAsync(blob, 51, null));
        await Should.ThrowAsync<EndOfStreamException>(() => ReadAsync(blob, 40, 11));
        await Should.ThrowAsync<EndOfStreamException>(() => ReadAsync(blob, 51, 0));
        Should.Throw<EndOfStreamException>(() => Store.ReadExactly(blob, 40, new byte[11]));
        Should.Throw<EndOfStreamException>(() => Store.ReadExactly(blob, 400, new byte[1]));
    }

    [Fact]
    public async Task OpenReadAsync_NoSuchBlob_NamesIt()
    {
        var blob = Digest.Of(Bytes(4, 51));

        (await Should.ThrowAsync<MissingBlobException>(() => ReadAsync(blob, 0, null))).Blob.ShouldBe(blob);
        (await Should.ThrowAsync<MissingBlobException>(() => ReadAsync(blob, 0, 5))).Message.ShouldContain(blob.Hex);
        Should.Throw<MissingBlobException>(() => Store.ReadExactly(blob, 0, new byte[1])).Blob.ShouldBe(blob);
        (await Store.ExistsAsync(blob, default)).ShouldBeFalse();
        (await Store.FindLengthAsync(blob, default)).ShouldBeNull();
    }

    [Fact]
    public async Task ListAsync_AfterPuts_ListsEachBlobOnce()
    {
        var receipts = new List<BlobReceipt>();
        for (var i = 0; i < 20; i++)
            receipts.Add(await Store.PutAsync(Bytes(100 + i, 10 + i), default));
        await Store.WriteRecordAsync("folder/name", Bytes(1, 3), default);

        var listed = await Store.ListAsync(default).ToListAsync();

        listed.Select(r => r with { IsNew = true }).ShouldBe(receipts, ignoreOrder: true);
    }

    [Theory]
    [InlineData(2000)]
    [InlineData(8_500_000)]
    public async Task PutAsync_SixteenAtOnce_ExactlyOneIsNew(int length)
    {
        for (var round = 0; round < (length < 10_000 ? 5 : 1); round++)
        {
            var bytes = Bytes(1000 + round, length);
            var start = new TaskCompletionSource();

            var puts = Enumerable.Range(0, 16).Select(_ => Task.Run(async () =>
            {
                await start.Task;
                return await Store.PutAsync(bytes, default);
            })).ToList();
            start.SetResult();

            (await Task.WhenAll(puts)).Count(r => r.IsNew).ShouldBe(1);
            (await ReadAsync(Digest.Of(bytes), 0, null)).SequenceEqual(bytes).ShouldBeTrue();
        }
    }

    [Fact]
    public async Task CreateRecordAsync_SixteenAtOnce_ExactlyOneWins()
    {
        for (var round = 0; round < 5; round++)
        {
            var name = $"races/{round}";
            var start = new TaskCompletionSource();

            var creates = Enumerable.Range(0, 16).Select(i => Task.Run(async () =>
            {
                await start.Task;
                return (Won: await Store.CreateRecordAsync(name, Bytes(i, 40), default), Content: Bytes(i, 40));
            })).ToList();
            start.SetResult();

            var winner = (await Task.WhenAll(creates)).Where(c => c.Won).ShouldHaveSingleItem();
            (await Store.ReadRecordAsync(name, default)).ShouldBe(winner.Content);
        }
    }

    [Fact]
    public async Task CommitStepAsync_Twice_FirstWins()
    {
        var artifacts = new ArtifactStore(Store);
        var key = Digest.Of("step"u8);
        using var writer = new CheckpointWriter(artifacts);
        await writer.AddFileAsync("config.json", "{}"u8.ToArray(), default);
        var first = new StepCommit
        {
            Outputs = new Dictionary<string, ManifestRef> { ["model"] = await writer.CommitAsync(default) },
            Metrics = new Dictionary<string, double> { ["loss"] = 1.5 },
        };
        var second = first with { Metrics = new Dictionary<string, double> { ["loss"] = 2 } };

        (await artifacts.FindStepAsync(key, default)).ShouldBeNull();
        var won = await artifacts.CommitStepAsync(key, first, default);
        var lost = await artifacts.CommitStepAsync(key, second, default);

        won.Metrics["loss"].ShouldBe(1.5);
        lost.Metrics["loss"].ShouldBe(1.5);
        lost.Outputs["model"].ShouldBe(first.Outputs["model"]);
        (await artifacts.FindStepAsync(key, default))!.Metrics["loss"].ShouldBe(1.5);
    }

    [Fact]
    public async Task WriteRecordAsync_Again_Replaces()
    {
        (await Store.ReadRecordAsync("a/b", default)).ShouldBeNull();
        await Store.WriteRecordAsync("a/b", Bytes(1, 10), default);
        await Store.WriteRecordAsync("a/b", Bytes(2, 5), default);

        (await Store.ReadRecordAsync("a/b", default)).ShouldBe(Bytes(2, 5));
        (await Store.CreateRecordAsync("a/b", Bytes(3, 5), default)).ShouldBeFalse();
        await Store.DeleteRecordAsync("a/b", default);
        await Store.DeleteRecordAsync("a/b", default);
        (await Store.ReadRecordAsync("a/b", default)).ShouldBeNull();
        (await Store.CreateRecordAsync("a/b", Bytes(3, 5), default)).ShouldBeTrue();
    }

    [Fact]
    public async Task ListRecordsAsync_Prefix_ListsThoseOnly()
    {
        foreach (var name in new[] { "steps/1", "steps/2", "steps-old/1", "cursors/x/y" })
            await Store.WriteRecordAsync(name, Bytes(1, 1), default);

        (await Store.ListRecordsAsync("steps/", default).ToListAsync()).ShouldBe(["steps/1", "steps/2"]);
        (await Store.ListRecordsAsync("", default).ToListAsync()).Count.ShouldBe(4);
        (await Store.ListRecordsAsync("none/", default).ToListAsync()).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("a/../b")]
    [InlineData("/a/b")]
    [InlineData("a")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData("a/.hidden")]
    [InlineData("a\\b/c")]
    [InlineData("a/b\0c")]
    [InlineData("a/ü")]
    [InlineData("")]
    public async Task Records_UnsafeName_IsRefused(string name)
    {
        await Should.ThrowAsync<ArgumentException>(() => Store.CreateRecordAsync(name, Bytes(1, 1), default));
        await Should.ThrowAsync<ArgumentException>(() => Store.WriteRecordAsync(name, Bytes(1, 1), default));
        await Should.ThrowAsync<ArgumentException>(() => Store.ReadRecordAsync(name, default));
        await Should.ThrowAsync<ArgumentException>(() => Store.DeleteRecordAsync(name, default));
    }

    [Fact]
    public async Task PutAsync_StreamFails_LeavesNothing()
    {
        await Should.ThrowAsync<IOException>(() => Store.PutAsync(new FailingStream(3_000_000), default));

        (await Store.ListAsync(default).ToListAsync()).ShouldBeEmpty();
    }

    protected static byte[] Bytes(int seed, int length)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private async Task<byte[]> ReadAsync(Digest blob, long offset, long? length)
    {
        await using var stream = await Store.OpenReadAsync(blob, offset, length, default);
        var bytes = new MemoryStream();
        await stream.CopyToAsync(bytes);
        return bytes.ToArray();
    }

    private class ForwardOnlyStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();
    }

    private sealed class FailingStream(int after) : ForwardOnlyStream(new byte[after])
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            await base.ReadAsync(buffer, cancellationToken) is > 0 and var read ? read : throw new IOException("the source broke");

        public override Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken) =>
            throw new IOException("the source broke");
    }
}
