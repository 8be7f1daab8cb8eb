using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Stages.Worker;

namespace Espalier.Stages.Tests;

/// <summary>What the workers of a team leave for each other.</summary>
public sealed class StepRoundsTests : IDisposable
{
    private static readonly Digest Step = Digest.Of("step"u8);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("rounds-");
    private readonly ArtifactStore _store;
    private readonly StepRounds _rounds;

    public StepRoundsTests()
    {
        _store = new ArtifactStore(new FileBlobStore(_folder.FullName, new FileBlobStoreOptions { IsDurable = false, ReservedBytes = 0 }));
        _rounds = new StepRounds(_store, Step);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Publish_Second_FirstCountsAndTheSecondIsDeleted()
    {
        var (first, second) = (await MakeAsync("first"), await MakeAsync("second"));

        (await _rounds.PublishAsync(1, 2, first, default)).ShouldBe(first);
        (await _rounds.PublishAsync(1, 2, second, default)).ShouldBe(first);

        (await _rounds.FindAsync(1, 2, default)).ShouldBe(first);
        (await _store.Blobs.ExistsAsync(first.Root, default)).ShouldBeTrue();
        (await _store.Blobs.ExistsAsync(second.Root, default)).ShouldBeFalse();
    }

    [Fact]
    public async Task Publish_OverARecordThatCannotBeRead_Counts()
    {
        var made = await MakeAsync("made");
        await _store.Blobs.WriteRecordAsync($"cursors/{Step.Hex}.rounds/1.2", "{"u8.ToArray(), default);

        (await _rounds.PublishAsync(1, 2, made, default)).ShouldBe(made);

        (await _rounds.FindAsync(1, 2, default)).ShouldBe(made);
    }

    [Fact]
    public async Task LastWhole_SomeMembersAreMissing_IsTheRoundThatAllHaveDone()
    {
        (await _rounds.LastWholeAsync(2, default)).ShouldBe(0);
        foreach (var (round, member) in new[] { (1L, 1), (1L, 2), (2L, 2), (2L, 1), (3L, 1) })
            await _rounds.PublishAsync(round, member, await MakeAsync($"{round}.{member}"), default);
        await _rounds.TellAsync(2, new MemberPosition(1, 3, 2, 40), default);

        (await _rounds.LastWholeAsync(2, default)).ShouldBe(2);
        (await _rounds.LastWholeAsync(3, default)).ShouldBe(0);
    }

    [Fact]
    public async Task DeleteBefore_Round_LeavesThatAndLaterOnes()
    {
        var (old, kept, young) = (await MakeAsync("old"), await MakeAsync("kept"), await MakeAsync("young"));
        await _rounds.PublishAsync(9, 1, old, default);
        await _rounds.PublishAsync(10, 1, kept, default);
        await _rounds.PublishAsync(11, 1, young, default);

        await _rounds.DeleteBeforeAsync(10, default);

        (await _rounds.FindAsync(9, 1, default)).ShouldBeNull();
        (await _store.Blobs.ExistsAsync(old.Root, default)).ShouldBeFalse();
        (await _rounds.FindAsync(10, 1, default)).ShouldBe(kept);
        (await _rounds.FindAsync(11, 1, default)).ShouldBe(young);
    }

    [Fact]
    public async Task Ask_MemberThatTold_GivesItsLastPosition()
    {
        await _rounds.TellAsync(2, new MemberPosition(1, 3, 2, 40), default);
        await _rounds.TellAsync(2, new MemberPosition(2, 4, 0, 50), default);

        (await _rounds.AskAsync(2, default)).ShouldBe(new MemberPosition(2, 4, 0, 50));
        (await _rounds.AskAsync(1, default)).ShouldBeNull();
    }

    [Fact]
    public async Task Clear_OfTheCursor_DeletesRoundsOfThatStepOnly()
    {
        var mine = await MakeAsync("mine");
        await _rounds.PublishAsync(1, 1, mine, default);
        await _rounds.TellAsync(1, new MemberPosition(1, 1, 1, 0), default);
        var others = new StepRounds(_store, Digest.Of("other"u8));
        await others.TellAsync(1, new MemberPosition(1, 1, 1, 0), default);

        await new BlobCursor(_store.Blobs, Step).ClearAsync(default);

        (await _store.Blobs.ListRecordsAsync($"cursors/{Step.Hex}", default).ToListAsync()).ShouldBeEmpty();
        (await _store.Blobs.ExistsAsync(mine.Root, default)).ShouldBeFalse();
        (await others.AskAsync(1, default)).ShouldNotBeNull();
    }

    private async Task<ManifestRef> MakeAsync(string content)
    {
        using var writer = new CheckpointWriter(_store, ArtifactKind.TrainerState, new OwnedBlobs(_store.Blobs, Step, content.Length));
        writer.SetProperties(OwnedArtifact.PropertiesOf(Step));
        await writer.AddFileAsync("part.txt", System.Text.Encoding.UTF8.GetBytes(content), default);
        return await writer.CommitAsync(default);
    }
}
