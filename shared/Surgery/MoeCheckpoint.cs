using System.Text.RegularExpressions;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Surgery.Checkpoints;
using Espalier.Tokenizers;

namespace Espalier.Surgery;

/// <summary>
/// A stored mixture-of-experts checkpoint as its parts: routers, experts and the rest, by layer. Opening reads the
/// manifest and <c>config.json</c> only and checks every layer against the configuration, so that surgery on layer 0
/// never starts when layer 7 is broken.
/// </summary>
public sealed partial class MoeCheckpoint
{
    private readonly Dictionary<string, TensorEntry> _byName;
    private readonly List<TensorEntry>[,] _experts; // [layer, expert]

    private MoeCheckpoint(ManifestRef artifact, CheckpointReader reader, ModelConfig config)
    {
        (Artifact, Reader, Config) = (artifact, reader, config);
        _byName = reader.Manifest.Tensors.ToDictionary(t => t.Name, StringComparer.Ordinal);
        _experts = new List<TensorEntry>[config.Layers, config.Experts];
        Sort();
        Check();
    }

    /// <summary>Which artifact this is.</summary>
    public ManifestRef Artifact { get; }

    /// <summary>Reads its bytes.</summary>
    public CheckpointReader Reader { get; }

    /// <summary>Its configuration.</summary>
    public ModelConfig Config { get; }

    /// <summary>What it consists of.</summary>
    public Manifest Manifest => Reader.Manifest;

    /// <summary>Tensors that belong to no router and no expert, in the manifest's order.</summary>
    public IReadOnlyList<TensorEntry> Others { get; private set; } = [];

    /// <summary>Opens a checkpoint and checks its layout.</summary>
    /// <exception cref="UserInputException">The configuration or a layer is wrong; the message names every such tensor.</exception>
    public static async Task<MoeCheckpoint> OpenAsync(ArtifactStore store, ManifestRef artifact, CancellationToken cancellationToken)
    {
        var reader = await CheckpointReader.OpenAsync(store, artifact, cancellationToken).ConfigureAwait(false);
        try
        {
            return new MoeCheckpoint(artifact, reader, ModelConfig.Parse(reader.ReadFile("config.json")));
        }
        catch (InvalidModelException e)
        {
            throw new UserInputException(e.Message, e);
        }
    }

    /// <summary>A tensor by name.</summary>
    /// <exception cref="UserInputException">The checkpoint has none of that name.</exception>
    public TensorEntry Tensor(string name) =>
        _byName.GetValueOrDefault(name) ?? throw new UserInputException($"The checkpoint lacks the tensor '{name}'.");

    /// <summary>Router weight of a layer, (E, H).</summary>
    public TensorEntry Router(int layer) => _byName[TensorNames.Router(layer)];

    /// <summary>Router logit bias of a layer, (E), or null.</summary>
    public TensorEntry? RouterBias(int layer) => _byName.GetValueOrDefault(TensorNames.RouterBias(layer));

    /// <summary>Selection bias of a layer, (E), or null.</summary>
    public TensorEntry? SelectionBias(int layer) => _byName.GetValueOrDefault(TensorNames.SelectionBias(layer));

    /// <summary>One projection of one expert: <c>gate</c>, <c>up</c> or <c>down</c>.</summary>
    public TensorEntry Projection(int layer, int expert, string projection) => _byName[TensorNames.Expert(layer, expert, projection)];

    /// <summary>Every tensor of one expert, packed ones included.</summary>
    public IReadOnlyList<TensorEntry> Expert(int layer, int expert) => _experts[layer, expert];

    /// <summary>Reads one tensor's bytes.</summary>
    public byte[] Read(TensorEntry tensor)
    {
        var bytes = new byte[tensor.SizeBytes];
        Reader.Read(tensor.Name, bytes);
        return bytes;
    }

    /// <summary>Reads one tensor as floats and refuses NaN and infinity.</summary>
    /// <exception cref="UserInputException">It holds a NaN or an infinity, or is not floating-point.</exception>
    public float[] ReadFloats(TensorEntry tensor)
    {
        var bytes = Read(tensor);
        FloatBytes.RequireFinite(tensor.Name, tensor.DType, bytes);
        return FloatBytes.ToFloats(tensor.DType, bytes);
    }

    /// <summary>The checkpoint's tokenizer, as a task asks for it.</summary>
    /// <exception cref="UserInputException">Its tokenizer files cannot be used, or it has none and the task does not ask for bytes.</exception>
    public ITokenizer LoadTokenizer(TokenizerUse? use = null)
    {
        try
        {
            return StoredTokenizer.Load(Reader, Config, use);
        }
        catch (InvalidTokenizerException e)
        {
            throw new UserInputException(e.Message, e);
        }
    }

    /// <summary>The name that a tensor of one expert has as a tensor of another.</summary>
    public static string Rename(string tensorName, int expert) => ExpertName().Replace(tensorName, $"${{1}}{expert}${{3}}", 1);

    [GeneratedRegex(@"^(.*model\.layers\.[0-9]{1,6}\.mlp\.experts\.)([0-9]{1,6})(\..+)$", RegexOptions.CultureInvariant)]
    private static partial Regex ExpertName();

    [GeneratedRegex(@"^model\.layers\.[0-9]{1,6}\.mlp\.gate\.", RegexOptions.CultureInvariant)]
    private static partial Regex RouterName();

    private void Sort()
    {
        foreach (var layer in Config.SparseLayers)
            for (var expert = 0; expert < Config.Experts; expert++)
                _experts[layer, expert] = [];
        var others = new List<TensorEntry>();
        var strangers = new List<string>();
        foreach (var tensor in Manifest.Tensors)
        {
            if (Config.IsInExtraLayer(tensor.Name)) // stored and not run: they go along as they are
            {
                others.Add(tensor);
                continue;
            }
            if (ExpertName().Match(tensor.Name) is { Success: true } match)
            {
                var layer = int.Parse(tensor.Name.Split('.')[2], System.Globalization.CultureInfo.InvariantCulture);
                var expert = int.Parse(match.Groups[2].ValueSpan, System.Globalization.CultureInfo.InvariantCulture);
                if (layer < Config.Layers && expert < Config.Experts && Config.IsSparse(layer))
                    _experts[layer, expert].Add(tensor);
                else
                    strangers.Add(tensor.Name);
            }
            else if (!RouterName().IsMatch(tensor.Name))
                others.Add(tensor);
        }
        if (strangers.Count > 0)
            throw new UserInputException(
                $"config.json has {Config.SparseLayers.Count} layers of {Config.Experts} experts, but the checkpoint also holds '{strangers[0]}' "
                    + $"and {strangers.Count - 1} more beyond them.");
        Others = others;
    }

    private void Check()
    {
        var problems = new List<Problem>();
        var (experts, hidden, width) = (Config.Experts, Config.HiddenSize, Config.ExpertSize);
        foreach (var layer in Config.SparseLayers)
        {
            Require(TensorNames.Router(layer), experts, hidden);
            CheckShape(RouterBias(layer), experts);
            CheckShape(SelectionBias(layer), experts);
            for (var expert = 0; expert < experts; expert++)
                foreach (var projection in Config.Quantization is null ? (string[])["gate", "up", "down"] : [])
                    if (projection == "down")
                        Require(TensorNames.Expert(layer, expert, projection), hidden, width);
                    else
                        Require(TensorNames.Expert(layer, expert, projection), width, hidden);
        }
        if (problems.Count > 0)
            throw new UserInputException(problems);

        void Require(string name, params long[] shape)
        {
            if (_byName.TryGetValue(name, out var tensor))
                CheckShape(tensor, shape);
            else
                problems.Add(new Problem("checkpoint", 0, 0, $"tensor '{name}' is missing; config.json asks for shape [{string.Join(", ", shape)}]."));
        }

        void CheckShape(TensorEntry? tensor, params long[] shape)
        {
            if (tensor is not null && !tensor.Shape.SequenceEqual(shape))
                problems.Add(new Problem("checkpoint", 0, 0,
                    $"tensor '{tensor.Name}' has shape [{string.Join(", ", tensor.Shape)}]; config.json asks for [{string.Join(", ", shape)}]."));
        }
    }
}
