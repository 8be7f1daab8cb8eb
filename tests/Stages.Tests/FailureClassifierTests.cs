using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Stages.Worker;

namespace Espalier.Stages.Tests;

public sealed class FailureClassifierTests
{
    public static TheoryData<Exception, FailureClass> Cases() => new()
    {
        { new UserInputException("change it"), FailureClass.User },
        { new OutOfMemoryException(), FailureClass.Resource },
        { new InvalidOperationException("CUDA out of memory. Tried to allocate 2 GiB"), FailureClass.Resource },
        { new InvalidOperationException("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), FailureClass.Resource },
        { new IOException("No space left on device", 28), FailureClass.Transient },
        { new UnauthorizedAccessException("Access to the path is denied: read-only file system"), FailureClass.Transient },
        { new IOException("Read-only file system", 30), FailureClass.Transient },
        { new StageFailedException(FailureClass.Resource, "out of memory in the work process"), FailureClass.Resource },
        { new IOException("reset"), FailureClass.Transient },
        { new HttpRequestException("refused"), FailureClass.Transient },
        { new TaskCanceledException("a timeout of somebody else"), FailureClass.Transient },
        { new StageCrashedException("signal 11"), FailureClass.Poison },
        { new NullReferenceException(), FailureClass.Poison },
        { new AggregateException(new UserInputException("inside")), FailureClass.User },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Classify_Exception_DecidesWhatHappensNext(Exception error, FailureClass expected) =>
        FailureClassifier.Classify(error).ShouldBe(expected);

    [Theory]
    [InlineData(
        "[enforce fail at alloc_cpu.cpp:75] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 27676647424 bytes. Error code 12",
        "Memory ran out when 25.8 GiB more were asked for.")]
    [InlineData(
        "CUDA out of memory. Tried to allocate 2.50 GiB (GPU 0; 23.69 GiB total capacity; 21.05 GiB already allocated)",
        "The memory of the GPU ran out when 2.50 GiB more were asked for.")]
    [InlineData("Insufficient memory: not enough memory to continue", "Memory ran out.")]
    public void Describe_AllocatorsOwnWords_AreNotShown(string message, string expected)
    {
        var error = new AggregateException(new System.Runtime.InteropServices.ExternalException(message + "\nException raised from alloc_cpu at ../c10/core"));

        var text = FailureClassifier.Describe(error);

        text.ShouldStartWith(expected + " Use a smaller 'batch'");
        text.ShouldNotContain("alloc", Case.Insensitive);
        FailureClassifier.Classify(error).ShouldBe(FailureClass.Resource);
    }

    [Fact]
    public void IsOutage_FullDisk_IsOneHoweverItIsWrapped()
    {
        FailureClassifier.IsOutage(new IOException("the store says so", new IOException("No space left on device", 28))).ShouldBeTrue();
        FailureClassifier.IsOutage(new AggregateException(new IOException("No space left on device", 28))).ShouldBeTrue();
        FailureClassifier.IsOutage(new StageFailedException(FailureClass.Transient, "in the work process", isOutage: true)).ShouldBeTrue();
        FailureClassifier.IsOutage(new IOException("reset")).ShouldBeFalse();
        FailureClassifier.IsOutage(new OutOfMemoryException()).ShouldBeFalse("smaller parts may help there");
    }

    [Fact]
    public void FindLostBlob_MissingBlob_IsFoundHoweverItIsWrapped()
    {
        var blob = Digest.Of("blob"u8);
        var missing = new MissingBlobException(blob, "gone");

        FailureClassifier.FindLostBlob(missing).ShouldBe(blob);
        FailureClassifier.FindLostBlob(new InvalidDataException("the manifest is damaged", missing)).ShouldBe(blob);
        FailureClassifier.FindLostBlob(new AggregateException(missing)).ShouldBe(blob);
        FailureClassifier.FindLostBlob(new StageFailedException(FailureClass.User, "in the work process", blob)).ShouldBe(blob);
        FailureClassifier.FindLostBlob(new IOException("reset")).ShouldBeNull();
    }

    [Fact]
    public void Describe_UserError_IsTheMessageAlone() =>
        FailureClassifier.Describe(new UserInputException("Set 'ratio' below 1.")).ShouldBe("Set 'ratio' below 1.");
}
