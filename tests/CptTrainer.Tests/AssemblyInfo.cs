// Tests count live tensors, which are counted per process; and every test uses all cores through the tensor library.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
