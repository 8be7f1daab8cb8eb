using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Espalier.Torch.Tests;

[Collection("counts live tensors")]
public class LifetimeTests
{
    private static long OfThread => DisposeScopeManager.Statistics.ThreadTotalLiveCount;

    [Fact]
    public void Scope_End_DisposesWhatWasMadeInIt()
    {
        long before = OfThread;
        Tensor inside;

        using (NewDisposeScope())
            inside = zeros(2) + 1;

        inside.IsInvalid.ShouldBeTrue();
        OfThread.ShouldBe(before);
    }

    [Fact]
    public void MoveToOuter_KeepsTheResultAndNothingElse()
    {
        long before = OfThread;
        using (var outer = NewDisposeScope())
        {
            Tensor result;
            using (NewDisposeScope())
                result = (zeros(2) + 1).MoveToOuterDisposeScope();

            outer.DisposablesView.ShouldBe([result]);
            result.ShouldHold(1f, 1f);
        }
        OfThread.ShouldBe(before);
    }

    [Fact]
    public void Detach_LeavesTheTensorToItsHolder()
    {
        Tensor kept;
        using (NewDisposeScope())
            kept = zeros(2).DetachFromDisposeScope();

        kept.IsInvalid.ShouldBeFalse();
        kept.Dispose();
    }

    [Fact]
    public void DisposeEverythingBut_KeepsOnlyThese()
    {
        using var scope = NewDisposeScope();
        var first = zeros(1);
        var second = zeros(1);
        var third = zeros(1);

        scope.DisposeEverythingBut(second);

        (first.IsInvalid, second.IsInvalid, third.IsInvalid).ShouldBe((true, false, true));
        scope.DisposablesCount.ShouldBe(1);
    }

    [Fact]
    public void Dispose_InAnyOrder_LeavesTheScopeConsistent()
    {
        using var scope = NewDisposeScope();
        Tensor[] tensors = [.. Enumerable.Range(0, 10).Select(i => tensor(i))];

        foreach (int i in new[] { 3, 9, 0, 5 })
            tensors[i].Dispose();

        scope.DisposablesCount.ShouldBe(6);
        scope.DisposablesView.ShouldBe(tensors.Where(tensor => !tensor.IsInvalid), ignoreOrder: true);
    }

    [Fact]
    public void Attach_TakesOverATensorMadeOutside()
    {
        var loose = zeros(1);

        using (var scope = NewDisposeScope())
            scope.Attach(loose);

        loose.IsInvalid.ShouldBeTrue();
    }

    [Fact]
    public void MoveToOther_FollowsTheOtherTensor()
    {
        using var outer = NewDisposeScope();
        var anchor = zeros(1);
        Tensor moved;

        using (NewDisposeScope())
            moved = zeros(1).MoveToOtherDisposeScope(anchor);

        outer.Contains(moved).ShouldBeTrue();
    }

    [Fact]
    public void WrappedScope_LeavesOneTensor()
    {
        long before = OfThread;

        using var result = WrappedTensorDisposeScope(() => zeros(2) + 1 + 2);

        (OfThread - before).ShouldBe(1);
    }

    [Fact]
    public void Parameter_TakesOverItsTensor()
    {
        using var scope = NewDisposeScope();
        var data = ones(2);

        var parameter = new Parameter(data);

        data.IsInvalid.ShouldBeTrue();
        parameter.requires_grad.ShouldBeTrue();
        scope.Contains(parameter).ShouldBeTrue();
        scope.DisposablesCount.ShouldBe(1);
    }

    [Fact]
    public void Use_AfterDispose_Throws()
    {
        var gone = zeros(1);
        gone.Dispose();

        Should.Throw<InvalidOperationException>(() => gone.abs());
    }

    [Fact]
    public void TrainingStep_Repeated_KeepsTheLiveCountFlat()
    {
        using var scope = NewDisposeScope();
        var weight = new Parameter(ones(4, 4));
        var optimizer = optim.AdamW([weight]);
        Step(weight, optimizer);
        long before = OfThread;

        for (int i = 0; i < 5; i++)
            Step(weight, optimizer);

        OfThread.ShouldBe(before);
        optimizer.Dispose();
    }

    private static void Step(Parameter weight, AdamW optimizer)
    {
        using var step = NewDisposeScope();
        optimizer.zero_grad();
        nn.functional.cross_entropy(ones(2, 4).matmul(weight), Longs(0, 1)).backward();
        nn.utils.clip_grad_norm_([weight], 1);
        optimizer.step();
    }

    private static Tensor Longs(params long[] values) => tensor(values);

#if LIBTORCH_BINDING
    [Fact]
    public void NativeHandles_OfOneScope_AreAllFreed()
    {
        long before = TorchRuntime.NativeHandleCount;
        using (NewDisposeScope())
        {
            var parts = arange(10).split(3);
            var (values, _) = cat(parts).sort(descending: true);
            values.unique();
            Should.Throw<Exception>(() => values.view(7));
            TorchRuntime.NativeHandleCount.ShouldBeGreaterThan(before);
        }
        TorchRuntime.NativeHandleCount.ShouldBe(before);
    }
#endif

    [Fact]
    public void Tensor_Forgotten_IsFreedByTheFinalizer()
    {
        Forget();
        long before = Tensor.TotalCount;

        for (int i = 0; i < 10 && Tensor.TotalCount > before - 100; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Tensor.TotalCount.ShouldBeLessThanOrEqualTo(before - 100);
    }

    private static void Forget()
    {
        for (int i = 0; i < 110; i++)
            _ = zeros(1);
    }
}

/// <summary>Tests that look at process-wide counts run when no other test does.</summary>
[CollectionDefinition("counts live tensors", DisableParallelization = true)]
public class CountsLiveTensors;
