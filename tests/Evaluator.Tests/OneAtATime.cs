// Tests that count live tensors must be alone in the process.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
