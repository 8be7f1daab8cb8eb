using System.Security.Cryptography;
using System.Text;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Uploads;
using Espalier.Contracts;

namespace Espalier.Artifacts.Tests.Uploads;

/// <summary>Text that users upload, taken from outside and so never believed.</summary>
public sealed class UploadStoreTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("uploads-");
    private readonly Clock _clock = new();
    private readonly FileBlobStore _blobs;
    private readonly UploadStore _uploads;

    public UploadStoreTests()
    {
        _blobs = new FileBlobStore(Path.Combine(_folder.FullName, "store"), new FileBlobStoreOptions { IsDurable = false });
        _uploads = new UploadStore(_blobs, _clock);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Restore_Folder_GivesBackEveryFile()
    {
        var listing = Folder(("a.txt", "first"), ("deep/b.txt", ""), ("deep/c.txt", "third"));
        await PutAsync("first", "", "third");

        var fingerprint = await _uploads.PublishAsync(listing, default);
        var path = await _uploads.RestoreAsync(new UploadReference(fingerprint, "texts"), _folder.CreateSubdirectory("out"), default);

        path.ShouldEndWith("out/texts");
        Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Order().Select(f => $"{Path.GetRelativePath(path, f)}: {File.ReadAllText(f)}")
            .ShouldBe(["a.txt: first", "deep/b.txt: ", "deep/c.txt: third"]);
    }

    [Fact]
    public async Task Publish_FileOfSeveralParts_IsComparedWithItsDigest()
    {
        var (first, rest) = (new byte[UploadListing.PartBytes], "the rest"u8.ToArray());
        first[7] = 1;
        foreach (var part in new[] { first, rest })
            await _blobs.PutAsync(part, default);
        var file = new UploadedFile("a.jsonl", DigestOf([.. first, .. rest]), first.Length + rest.Length, [Digest.Of(first), Digest.Of(rest)]);

        var fingerprint = await _uploads.PublishAsync(new UploadListing { IsFolder = false, Files = [file] }, default);
        var path = await _uploads.RestoreAsync(new UploadReference(fingerprint, "a.jsonl"), _folder.CreateSubdirectory("out"), default);

        fingerprint.ShouldBe(file.Digest, "a file is called by its own digest");
        (await File.ReadAllBytesAsync(path)).ShouldBe([.. first, .. rest]);
        var lie = file with { Digest = Digest.Of("something else"u8) };
        (await Should.ThrowAsync<UserInputException>(() => _uploads.PublishAsync(new UploadListing { IsFolder = false, Files = [lie] }, default)))
            .Message.ShouldContain("do not make the file");
    }

    [Fact]
    public async Task Publish_PartThatIsNotThere_IsRefusedAndNothingIsVisible()
    {
        var listing = Folder(("a.txt", "first"), ("b.txt", "second"));
        await PutAsync("first");

        (await Should.ThrowAsync<UserInputException>(() => _uploads.PublishAsync(listing, default))).Message.ShouldContain("'b.txt' is not stored");

        (await _uploads.UseAsync(listing.FindFingerprint(), default)).ShouldBeFalse();
    }

    [Theory]
    [InlineData("../out.txt")]
    [InlineData("/etc/passwd")]
    [InlineData("a//b")]
    [InlineData("a\\b")]
    public void Check_PathThatLeadsOut_IsRefused(string path) =>
        Should.Throw<UserInputException>(() => Folder((path, "x")).Check());

    [Fact]
    public void Check_ListingThatContradictsItself_IsRefused()
    {
        var file = Folder(("a", "x")).Files[0];
        UploadListing[] wrong =
        [
            new() { IsFolder = true, Files = [] },
            new() { IsFolder = false, Files = [file, file with { Path = "b" }] },
            new() { IsFolder = true, Files = [file, file] },
            new() { IsFolder = true, Files = [file with { Path = "b" }, file] },
            new() { IsFolder = true, Files = [file with { SizeBytes = -1 }] },
            new() { IsFolder = true, Files = [file with { SizeBytes = long.MaxValue }] },
            new() { IsFolder = true, Files = [file with { SizeBytes = long.MaxValue }, file with { Path = "b", SizeBytes = long.MaxValue }] },
            new() { IsFolder = true, Files = [file with { Parts = [] }] },
            new() { IsFolder = true, Files = [file with { Parts = [Digest.Of("other"u8)] }] },
            new() { IsFolder = true, Files = [null!] },
        ];

        foreach (var listing in wrong)
            Should.Throw<UserInputException>(listing.Check);
    }

    [Fact]
    public async Task Needed_UploadThatNobodyUses_IsGivenUpAfterItsTime()
    {
        await PutAsync("first", "second");
        var used = await _uploads.PublishAsync(Folder(("a.txt", "first")), default);
        var left = await _uploads.PublishAsync(Folder(("b.txt", "second")), default);
        _clock.Now += UploadStore.Kept - TimeSpan.FromDays(1);
        (await _uploads.UseAsync(used, default)).ShouldBeTrue();
        _clock.Now += TimeSpan.FromDays(2);

        (await _uploads.ListNeededAsync(isDry: true, default)).ShouldContain(DigestOf("first"u8.ToArray()));
        (await _uploads.UseAsync(left, default)).ShouldBeTrue("it was only looked");
        _clock.Now += UploadStore.Kept + TimeSpan.FromDays(1);
        (await _uploads.ListNeededAsync(isDry: false, default)).ShouldBeEmpty();

        (await _uploads.UseAsync(left, default)).ShouldBeFalse();
    }

    [Fact]
    public async Task Restore_UploadThatIsGone_SaysWhatToDo()
    {
        var refusal = await Should.ThrowAsync<UserInputException>(
            () => _uploads.RestoreAsync(new UploadReference(Digest.Of("x"u8), "notes"), _folder, default));

        refusal.Message.ShouldBe(
            "'notes' is not on this platform (any more): submit the file again from the machine that has it, by espalier submit, which uploads it.");
    }

    private static UploadListing Folder(params (string Path, string Text)[] files) => new()
    {
        IsFolder = true,
        Files =
        [
            .. files.Select(f => (f.Path, Bytes: Encoding.UTF8.GetBytes(f.Text)))
                .Select(f => new UploadedFile(f.Path, DigestOf(f.Bytes), f.Bytes.Length, [DigestOf(f.Bytes)])),
        ],
    };

    private async Task PutAsync(params string[] texts)
    {
        foreach (var text in texts)
            await _blobs.PutAsync(Encoding.UTF8.GetBytes(text), default);
    }

    private static Digest DigestOf(byte[] bytes) => Digest.Parse(Convert.ToHexStringLower(SHA256.HashData(bytes)));

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
