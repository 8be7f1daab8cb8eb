namespace Espalier.Artifacts.Checkpoints.Families;

/// <summary>
/// A stored checkpoint's tensors under its family's names on disk, with the experts of a layer one by one or in one
/// tensor. Reading joins the experts' bytes on the way; nothing is held.
/// </summary>
internal sealed class FamilyTensors : ITensorBytes
{
    private static readonly string[] GateUp = ["gate_proj", "up_proj"];

    private readonly ITensorBytes? _source;
    private readonly Dictionary<string, TensorHeader> _parts;
    private readonly Dictionary<string, (TensorHeader Header, IReadOnlyList<string> Parts)> _tensors = new(StringComparer.Ordinal);

    /// <param name="parts">The checkpoint's tensors.</param>
    /// <param name="family">Its <c>model_type</c>, or null.</param>
    /// <param name="stacks">Whether to put all experts of a layer into one tensor, where each is a plain weight.</param>
    /// <param name="source">Where the bytes are; null when only the layout is asked for.</param>
    public FamilyTensors(IReadOnlyList<TensorHeader> parts, string? family, bool stacks, ITensorBytes? source = null)
    {
        _source = source;
        var naming = FamilyNames.Of(family);
        _parts = parts.ToDictionary(part => part.Name, StringComparer.Ordinal);
        var layers = stacks
            ? _parts.Keys.Select(FamilyNames.FindExpert).OfType<(string Prefix, int Expert, string Part)>()
                .GroupBy(e => e.Prefix).ToDictionary(g => g.Key, g => g.Max(e => e.Expert) + 1)
            : [];
        foreach (var (prefix, experts) in layers)
        {
            if (!TryStack(prefix + "gate_up_proj", Parts(prefix, experts, GateUp), experts, 2)
                || !TryStack(prefix + "down_proj", Parts(prefix, experts, ["down_proj"]), experts, 1))
                _tensors.Remove(prefix + "gate_up_proj");
        }
        foreach (var (name, header) in _parts)
        {
            if (FamilyNames.FindExpert(name) is { } expert && _tensors.ContainsKey(expert.Prefix + "down_proj"))
                continue;
            var onDisk = naming.ToDisk(name, stacks);
            _tensors.Add(onDisk, (header with { Name = onDisk }, [name]));
        }
        Names = [.. _tensors.Keys.Order(StringComparer.Ordinal)];
    }

    /// <summary>The checkpoint's tensors whose bytes, one after the other, are those of a tensor.</summary>
    public IReadOnlyList<string> PartsOf(string name) => _tensors[name].Parts;

    /// <inheritdoc/>
    public IReadOnlyList<string> Names { get; }

    /// <inheritdoc/>
    public TensorHeader Describe(string name) => _tensors[name].Header;

    /// <inheritdoc/>
    public void Read(string name, Span<byte> destination)
    {
        TensorBytesExtensions.CheckWhole(Describe(name), destination.Length);
        ReadRange(name, 0, destination);
    }

    /// <inheritdoc/>
    public void ReadRange(string name, long offset, Span<byte> destination)
    {
        var (header, parts) = _tensors[name];
        TensorBytesExtensions.CheckRange(header, offset, destination.Length);
        var size = header.SizeBytes / parts.Count;
        while (destination.Length > 0)
        {
            var within = offset % size;
            var count = (int)Math.Min(size - within, destination.Length);
            _source!.ReadRange(parts[(int)(offset / size)], within, destination[..count]);
            destination = destination[count..];
            offset += count;
        }
    }

    private static List<string> Parts(string prefix, int experts, IReadOnlyList<string> projections) =>
        [.. Enumerable.Range(0, experts).SelectMany(expert => projections.Select(projection => $"{prefix}{expert}.{projection}.weight"))];

    // Only parts of one type and shape can share a tensor.
    private bool TryStack(string name, List<string> parts, int experts, int perExpert)
    {
        if (!parts.TrueForAll(_parts.ContainsKey))
            return false;
        var headers = parts.ConvertAll(part => _parts[part]);
        if (headers.Exists(h => h.DType != headers[0].DType || h.Shape.Count != 2 || !h.Shape.SequenceEqual(headers[0].Shape)))
            return false;
        _tensors[name] = (new TensorHeader(
            name, headers[0].DType, [experts, headers[0].Shape[0] * perExpert, headers[0].Shape[1]], headers.Sum(h => h.SizeBytes)), parts);
        return true;
    }
}
