using Espalier.Contracts;

namespace Espalier.Artifacts.Checkpoints.Families;

/// <summary>
/// A model directory's tensors under the store's names. Tensors that hold all experts of a layer, gate and up rows of one
/// expert after the other (E, 2F, H) and down (E, H, F), appear as one tensor per expert and projection: ranges of the
/// same bytes. <see cref="RedundantTensors"/> are left out.
/// </summary>
internal sealed class UnifiedTensors : ITensorBytes
{
    private readonly HuggingFaceDirectory _source;
    private readonly FamilyFacts _facts;
    private readonly TensorNaming _naming;
    private readonly Dictionary<string, (string Source, TensorHeader Header, long Offset)> _tensors = new(StringComparer.Ordinal);

    /// <exception cref="UserInputException">Two tensors mean the same, or a tensor of all experts has a shape that cannot be cut.</exception>
    public UnifiedTensors(HuggingFaceDirectory source)
    {
        _source = source;
        _facts = FamilyFacts.Read(source.ReadFile(SideFiles.Config));
        _naming = FamilyNames.Of(_facts.Family);
        (var redundant, Notes) = RedundantTensors.Find(source, _facts.TiesEmbeddings);
        foreach (var name in source.Names.Where(name => !redundant.Contains(name)))
        {
            var stored = _naming.ToStore(name);
            if (FamilyNames.FindStacked(stored) is { } stacked)
                Cut(name, stacked.Prefix, stacked.Part);
            else
                Add(name, stored, source.Describe(name) with { Name = stored }, 0);
        }
        Names = [.. _tensors.Keys.Order(StringComparer.Ordinal)];
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Sentences about tensors of the directory that were left out.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>Whether some layer's experts lie in one tensor.</summary>
    public bool HasStackedExperts { get; private set; }

    /// <inheritdoc/>
    public string NameInFile(string name) => _tensors.TryGetValue(name, out var tensor) ? tensor.Source : _naming.ToDisk(name);

    /// <summary>The file that holds a tensor, for messages.</summary>
    public string FileOf(string name) => _source.FileOf(Find(name).Source);

    /// <inheritdoc/>
    public TensorHeader Describe(string name) => Find(name).Header;

    /// <inheritdoc/>
    public void Read(string name, Span<byte> destination)
    {
        TensorBytesExtensions.CheckWhole(Describe(name), destination.Length);
        ReadRange(name, 0, destination);
    }

    /// <inheritdoc/>
    public void ReadRange(string name, long offset, Span<byte> destination)
    {
        var (source, header, start) = Find(name);
        TensorBytesExtensions.CheckRange(header, offset, destination.Length);
        _source.ReadRange(source, start + offset, destination);
    }

    private (string Source, TensorHeader Header, long Offset) Find(string name) =>
        _tensors.TryGetValue(name, out var tensor) ? tensor : throw new KeyNotFoundException($"{_source.DirectoryPath} has no tensor '{LogSafe.Name(name)}'.");

    private void Add(string source, string stored, TensorHeader header, long offset)
    {
        if (!_tensors.TryAdd(stored, (source, header, offset)))
            throw new UserInputException($"{_source.FileOf(source)}: tensor '{LogSafe.Name(source)}' is there a second time, in "
                + $"'{LogSafe.Name(_tensors[stored].Source)}'. Remove one of the two layouts.");
    }

    private void Cut(string source, string prefix, string part)
    {
        var whole = _source.Describe(source);
        var isBoth = part == "gate_up_proj";
        var (experts, hidden) = (_facts.Experts, _facts.Hidden);
        var shape = whole.Shape;
        if (shape.Count != 3 || shape.Any(extent => extent < 1) || experts is { } e && shape[0] != e
            || isBoth && shape[1] % 2 != 0 || hidden is { } h && shape[isBoth ? 2 : 1] != h)
            throw new UserInputException(
                $"{_source.FileOf(source)}: tensor '{LogSafe.Name(source)}' has shape [{string.Join(", ", shape)}]; all experts in one tensor have shape "
                + (isBoth ? $"[{Text(experts, "experts")}, 2 x expert width, {Text(hidden, "hidden size")}]"
                    : $"[{Text(experts, "experts")}, {Text(hidden, "hidden size")}, expert width]")
                + " in this family. A transposed file must be transposed back.");
        HasStackedExperts = true;
        var size = whole.SizeBytes / shape[0] / (isBoth ? 2 : 1);
        for (var expert = 0; expert < shape[0]; expert++)
        {
            if (isBoth)
            {
                Slice("gate_proj", expert, [shape[1] / 2, shape[2]], expert * 2 * size);
                Slice("up_proj", expert, [shape[1] / 2, shape[2]], (expert * 2 + 1) * size);
            }
            else
                Slice("down_proj", expert, [shape[1], shape[2]], expert * size);
        }

        void Slice(string projection, long expert, long[] extents, long offset)
        {
            var name = $"{prefix}{expert}.{projection}.weight";
            Add(source, name, new TensorHeader(name, whole.DType, extents, size), offset);
        }

        static string Text(long? number, string what) => number is { } known ? $"{known}" : what;
    }
}
