using TorchSharp;

namespace Espalier.TestKit.Models;

/// <summary>How many tensors of this process have not been freed: for tests of code that must keep none.</summary>
public static class LiveTensors
{
    public static long Count => torch.Tensor.TotalCount;

    /// <summary>
    /// The count after a collection. What earlier tests left would otherwise be finalised at any later moment, and the
    /// count of a test that leaks nothing would fall while it runs. Only the count before a test is taken so: the one
    /// after it must see what waits for a finalizer, since that is what is to be found.
    /// </summary>
    public static long CountSettled()
    {
        // Twice: the finalizer of a scope or a module frees objects that have finalizers of their own.
        for (var i = 0; i < 2; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        return Count;
    }
}
