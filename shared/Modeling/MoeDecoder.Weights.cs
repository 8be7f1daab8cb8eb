using Espalier.Modeling.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling;

/// <summary>Creating, loading and exporting the weights.</summary>
public sealed partial class MoeDecoder
{
    private MoeDecoder(ModelConfig config, bool routerBias, ScalarType dtype, Device device)
    {
        Config = config;
        ComputeType = dtype;
        Buffer = new ParameterBuffer(DecoderLayout.Parameters(config, routerBias), dtype, device);
        _rotary = new RotaryEmbedding(config.Latent?.RotarySize ?? config.HeadSize, config.RopeTheta, config.RopeScaling);
        _embedding = Weight(TensorNames.Embedding);
        _finalNorm = Weight(TensorNames.FinalNorm);
        _head = config.TieEmbeddings ? _embedding : Weight(TensorNames.Head);
        _layers = [.. Enumerable.Range(0, config.Layers).Select(index => config.IsSparse(index)
            ? new DecoderLayer(index)
            {
                InputNorm = Weight(TensorNames.Layer(index) + "input_layernorm.weight"),
                Attention = AttentionOf(index),
                PostNorm = Weight(TensorNames.Layer(index) + "post_attention_layernorm.weight"),
                Router = Weight(TensorNames.Router(index)),
                RouterBias = routerBias ? Weight(TensorNames.RouterBias(index)) : null,
                GateUp = Weight(TensorNames.ExpertsGateUp(index)),
                Down = Weight(TensorNames.ExpertsDown(index)),
                Shared = config.SharedSize > 0 ? MlpOf("mlp.shared_expert.", name => TensorNames.SharedExpert(index, name)) : null,
                SharedGate = Find(TensorNames.SharedExpertGate(index)),
                Siblings = config.SiblingGroups is { } groups ? new SiblingTable(groups[index], device) : null,
            }
            : new DecoderLayer(index)
            {
                InputNorm = Weight(TensorNames.Layer(index) + "input_layernorm.weight"),
                Attention = AttentionOf(index),
                PostNorm = Weight(TensorNames.Layer(index) + "post_attention_layernorm.weight"),
                Dense = MlpOf("mlp.", name => TensorNames.DenseMlp(index, name)),
            })];
        _mixtures = [.. _layers.Where(layer => layer.Dense is null)];
    }

    /// <summary>
    /// A fresh model: matrices normal with standard deviation <see cref="ModelConfig.InitializerRange"/>, norms 1.
    /// Each tensor has its own random stream, keyed by seed and name.
    /// </summary>
    /// <param name="config">What it is.</param>
    /// <param name="seed">Of the random streams.</param>
    /// <param name="device">Device to hold the weights on; the CPU when null.</param>
    /// <param name="dtype">Type to hold them in; float32 when null.</param>
    public static MoeDecoder Create(ModelConfig config, long seed, Device? device = null, ScalarType? dtype = null)
    {
        var decoder = new MoeDecoder(config, routerBias: false, dtype ?? float32, device ?? CPU);
        using var untracked = no_grad();
        foreach (var (name, value) in decoder.ExportWeights())
        {
            using var scope = NewDisposeScope(); // one tensor's random numbers at a time, not a second model of them
            using var view = value;
            if (name.EndsWith("norm.weight", StringComparison.Ordinal))
                value.fill_(1);
            else if (!name.EndsWith(".bias", StringComparison.Ordinal)) // biases start at 0
                value.copy_(randn(value.shape, dtype: float32, generator: RandomStream.For(seed, name)) * config.InitializerRange);
        }
        return decoder;
    }

    /// <summary>Loads a model strictly: every tensor that the configuration calls for, no other, each with its shape and finite.</summary>
    /// <param name="config">What the weights are.</param>
    /// <param name="source">Where they are; packed weights are expanded.</param>
    /// <param name="dtype">Type to hold them in; float32 when null.</param>
    /// <param name="device">Device to hold them on; the CPU when null.</param>
    /// <exception cref="InvalidModelException">Tensors that are missing, unknown, misshapen or not finite, by name.</exception>
    public static MoeDecoder Load(ModelConfig config, IWeightSource source, ScalarType? dtype = null, Device? device = null)
    {
        var loader = new DecoderLoader(config, source);
        var routerBias = loader.Check();
        var decoder = new MoeDecoder(config, routerBias, dtype ?? float32, device ?? CPU);
        try
        {
            using var untracked = no_grad();
            foreach (var layer in decoder._mixtures.Where(layer => loader.Has(TensorNames.SelectionBias(layer.Index))))
                layer.SelectionBias = zeros(config.Experts, dtype: float32, device: device ?? CPU).DetachFromDisposeScope();
            foreach (var (name, value) in decoder.ExportWeights())
            {
                using (value)
                    loader.Fill(name, value);
            }
            return decoder;
        }
        catch
        {
            decoder.Dispose();
            throw;
        }
    }

    /// <summary>Checks names, shapes and element types of a model's tensors against its configuration; reads no values.</summary>
    /// <exception cref="InvalidModelException">Tensors that are missing, unknown or misshapen, by name.</exception>
    public static void Check(ModelConfig config, IWeightSource source) => new DecoderLoader(config, source).Check();

    /// <summary>
    /// Every weight under its Hugging Face name, experts one by one: views, so writing to them changes the model. The
    /// caller disposes them. Selection biases come last in their layer, when the model has them.
    /// </summary>
    public IEnumerable<(string Name, Tensor Value)> ExportWeights()
    {
        foreach (var parameter in Parameters)
        {
            if (!parameter.Name.EndsWith("mlp.experts.gate_up_proj", StringComparison.Ordinal)
                && !parameter.Name.EndsWith("mlp.experts.down_proj", StringComparison.Ordinal))
                yield return (parameter.Name, parameter.Value.detach());
        }
        foreach (var layer in _mixtures)
        {
            for (var expert = 0; expert < Config.Experts; expert++)
            {
                var weights = GetExpert(layer.Index, expert);
                yield return (TensorNames.Expert(layer.Index, expert, "gate"), weights.Gate);
                yield return (TensorNames.Expert(layer.Index, expert, "up"), weights.Up);
                yield return (TensorNames.Expert(layer.Index, expert, "down"), weights.Down);
            }
            if (layer.SelectionBias is { } bias)
                yield return (TensorNames.SelectionBias(layer.Index), bias.alias());
        }
    }

    /// <summary>One expert's weights in an MoE layer: detached views that the caller disposes.</summary>
    public ExpertWeights GetExpert(int layer, int expert)
    {
        using var scope = NewDisposeScope();
        var gateUp = _layers[layer].GateUp!.detach().select(0, expert); // (2F, H)
        return new ExpertWeights(
            gateUp.narrow(0, 0, Config.ExpertSize).MoveToOuterDisposeScope(),
            gateUp.narrow(0, Config.ExpertSize, Config.ExpertSize).MoveToOuterDisposeScope(),
            _layers[layer].Down!.detach().select(0, expert).MoveToOuterDisposeScope());
    }

    /// <summary>Whether routers have a learned logit bias.</summary>
    public bool HasRouterBias => _mixtures.Any(layer => layer.RouterBias is not null);

    /// <summary>Whether routers have a selection bias.</summary>
    public bool HasSelectionBias => _mixtures.Any(layer => layer.SelectionBias is not null);

    /// <summary>The selection bias (E) of a layer, float32, or null. It is the model's own tensor.</summary>
    public Tensor? SelectionBias(int layer) => _layers[layer].SelectionBias;

    /// <summary>The router logit bias (E) of a layer, or null. It is the model's own parameter.</summary>
    public Tensor? RouterBias(int layer) => _layers[layer].RouterBias;

    /// <summary>Gives every MoE layer that lacks one a selection bias of zeros, for loss-free balancing.</summary>
    public void AddSelectionBias()
    {
        foreach (var layer in _mixtures)
            layer.SelectionBias ??= zeros(Config.Experts, dtype: float32, device: Device).DetachFromDisposeScope();
    }

    /// <summary>Multiplies every selection bias by a factor.</summary>
    public void ScaleSelectionBias(double factor)
    {
        using var untracked = no_grad();
        foreach (var layer in _mixtures)
            layer.SelectionBias?.mul_(factor);
    }

    /// <summary>Takes the selection biases out of the model.</summary>
    public void DropSelectionBias()
    {
        foreach (var layer in _mixtures)
        {
            layer.SelectionBias?.Dispose();
            layer.SelectionBias = null;
        }
    }

    /// <summary>Changes how tokens choose experts: between sibling-exclusive and free, and how many.</summary>
    /// <exception cref="InvalidModelException">The model has too few experts, or no sibling groups.</exception>
    public void ChangeRouting(bool siblingExclusive, int expertsPerToken)
    {
        if (!Config.IsMixture && !siblingExclusive && expertsPerToken == Config.ExpertsPerToken)
            return; // nothing is routed
        if (siblingExclusive && Config.SiblingGroups is null)
            throw new InvalidModelException("Sibling-exclusive routing needs sibling groups, which this model does not record.");
        var limit = siblingExclusive ? _mixtures.Min(layer => layer.Siblings!.Count) : Config.Experts / Config.ExpertGroups * Config.ChosenGroups;
        if (expertsPerToken < 1 || expertsPerToken > limit)
            throw new InvalidModelException($"Experts per token must be from 1 to {limit}, not {expertsPerToken}.");
        Config = Config with { SiblingExclusive = siblingExclusive, ExpertsPerToken = expertsPerToken };
    }

    /// <summary>Says after what sum of probabilities a token takes no further expert, see <see cref="ModelConfig.TopP"/>; null for never.</summary>
    public void ChangeTopP(double? topP) => Config = Config with { TopP = topP };

    /// <summary>Says how routers are trained, see <see cref="ModelConfig.Router"/>.</summary>
    public void ChangeRouter(RouterKind router) => Config = Config with { Router = router };

    /// <summary>Says which numbers of experts per token the model serves; null for its own number alone.</summary>
    public void Serve(ElasticExperts? experts) => Config = Config with { Elastic = experts };

    /// <summary>Says that this decoder is the part of a larger one that begins with some layer: sibling-exclusive routing goes by a layer's position.</summary>
    public void StartAt(int firstLayer)
    {
        foreach (var layer in _layers)
            layer.Position = firstLayer + layer.Index;
    }

    /// <summary>Says what number of experts per token the model is to return to (<see cref="ModelConfig.TargetExpertsPerToken"/>); null for its own.</summary>
    public void ReturnTo(int? expertsPerToken) => Config = Config with { TargetExpertsPerToken = expertsPerToken };

    /// <summary>Frees the weights and the tables.</summary>
    public void Dispose()
    {
        _training?.Dispose();
        _fused?.Dispose();
        Buffer.Dispose();
        _rotary.Dispose();
        foreach (var (_, mask) in _masks)
            mask.Dispose();
        foreach (var layer in _layers)
        {
            layer.SelectionBias?.Dispose();
            layer.Siblings?.Dispose();
        }
    }

    private Tensor Weight(string name) => Buffer.Views[name].Value;

    private Tensor? Find(string name) => Buffer.Views.GetValueOrDefault(name)?.Value;

    private MlpWeights MlpOf(string prefix, Func<string, string> nameOf) => new(prefix, Weight(nameOf("gate")), Weight(nameOf("up")), Weight(nameOf("down")));

    private AttentionWeights AttentionOf(int layer)
    {
        return new AttentionWeights
        {
            Query = Find(Name("q_proj.weight")) ?? Weight(Name("q_b_proj.weight")),
            Key = Find(Name("k_proj.weight")),
            Value = Find(Name("v_proj.weight")),
            QueryBias = Find(Name("q_proj.bias")),
            KeyBias = Find(Name("k_proj.bias")),
            ValueBias = Find(Name("v_proj.bias")),
            QueryNorm = Find(Name("q_norm.weight")),
            KeyNorm = Find(Name("k_norm.weight")),
            Output = Weight(Name("o_proj.weight")),
            OutputBias = Find(Name("o_proj.bias")),
            QueryDown = Find(Name("q_a_proj.weight")),
            QueryDownBias = Find(Name("q_a_proj.bias")),
            QueryDownNorm = Find(Name("q_a_layernorm.weight")),
            KeyValueDown = Find(Name("kv_a_proj_with_mqa.weight")),
            KeyValueDownBias = Find(Name("kv_a_proj_with_mqa.bias")),
            KeyValueDownNorm = Find(Name("kv_a_layernorm.weight")),
            KeyValueUp = Find(Name("kv_b_proj.weight")),
        };

        string Name(string tensor) => TensorNames.Attention(layer, tensor);
    }
}
