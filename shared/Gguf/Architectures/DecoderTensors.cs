using Espalier.Contracts;
using Espalier.Gguf.Blocks;
using Espalier.Gguf.Files;
using Espalier.Modeling;
using Espalier.Modeling.Checkpoints;
using Espalier.Modeling.WeightFormats;
using static TorchSharp.torch;

namespace Espalier.Gguf.Architectures;

/// <summary>The tensors of a model under llama.cpp's names: experts of a layer as one, rotary rows in its order, latent attention split in two.</summary>
internal sealed class DecoderTensors
{
    private readonly ModelConfig _config;
    private readonly GgufArchitecture _architecture;
    private readonly IWeightSource _source;
    private readonly IBlockType _type;
    private readonly HashSet<string> _names;
    private readonly List<GgufTensor> _tensors = [];
    private readonly List<(string Name, long Columns)> _misfits = [];
    private int _wider;

    private DecoderTensors(ModelConfig config, GgufArchitecture architecture, IWeightSource source, IBlockType type)
    {
        (_config, _architecture, _source, _type) = (config, architecture, source, type);
        _names = [.. source.Names];
    }

    /// <summary>Lists them, and reads nothing yet.</summary>
    /// <param name="config">The model.</param>
    /// <param name="architecture">How llama.cpp runs it.</param>
    /// <param name="source">Its weights.</param>
    /// <param name="type">How matrices are stored; vectors and routers are always float32.</param>
    /// <param name="note">Gets sentences about what is not as asked for.</param>
    /// <exception cref="UserInputException">A matrix has rows that cannot be cut into blocks of the type.</exception>
    public static IReadOnlyList<GgufTensor> Of(
        ModelConfig config, GgufArchitecture architecture, IWeightSource source, IBlockType type, Action<string> note)
    {
        var tensors = new DecoderTensors(config, architecture, source, type);
        tensors.AddAll();
        if (tensors._misfits.Count > 0)
            throw new UserInputException(
                [.. tensors._misfits.GroupBy(m => m.Columns).Select(g => new Problem("gguf", 0, 0, DescribeMisfit([.. g.Select(m => m.Name)], g.Key)))]);
        if (tensors._wider > 0)
            note($"{tensors._wider} matrices have rows that no block of {type.BlockSize} divides and are stored as {Q8.Instance.Name} or {F16.Instance.Name} "
                + $"instead of {type.Name}.");
        return tensors._tensors;
    }

    private void AddAll()
    {
        var (width, vocabulary) = ((long)_config.HiddenSize, (long)_config.VocabularySize);
        // The head decides between tokens that are close: llama.cpp gives it more bits, too.
        var wide = _type is Q4K ? Q6K.Instance : _type;
        AddMatrix("token_embd.weight", TensorNames.Embedding, vocabulary, width, _config.TieEmbeddings ? wide : _type);
        AddVector("output_norm.weight", TensorNames.FinalNorm);
        if (!_config.TieEmbeddings)
            AddMatrix("output.weight", TensorNames.Head, vocabulary, width, wide);
        if (_config.RopeScaling is { Kind: RopeScalingKind.Llama3 } scaling)
        {
            var factors = RopeScaling.Plain(_config.HeadSize, _config.RopeTheta)
                .Zip(scaling.Frequencies(_config.HeadSize, _config.RopeTheta, 0), (plain, stretched) => (float)(plain / stretched)).ToArray();
            Add("rope_freqs.weight", [factors.Length], F32.Instance, () => tensor(factors));
        }
        for (var layer = 0; layer < _config.Layers; layer++)
            AddLayer(layer, $"blk.{layer}.");
    }

    private void AddLayer(int layer, string prefix)
    {
        AddVector(prefix + "attn_norm.weight", TensorNames.Layer(layer) + "input_layernorm.weight");
        if (_config.Latent is { } latent)
            AddLatentAttention(layer, prefix, latent);
        else
            AddAttention(layer, prefix);
        AddVector(prefix + "ffn_norm.weight", TensorNames.Layer(layer) + "post_attention_layernorm.weight");
        if (_config.IsSparse(layer))
            AddMixture(layer, prefix);
        else
            AddMlp(prefix + "ffn_{0}.weight", name => TensorNames.DenseMlp(layer, name), _config.DenseSize);
    }

    private void AddAttention(int layer, string prefix)
    {
        var (width, query, keyValue) = (
            (long)_config.HiddenSize, (long)_config.Heads * _config.HeadSize, (long)_config.KeyValueHeads * _config.HeadSize);
        foreach (var (to, from, rows, heads) in new[] { ("attn_q", "q_proj", query, _config.Heads), ("attn_k", "k_proj", keyValue, _config.KeyValueHeads) })
        {
            var name = TensorNames.Attention(layer, from);
            AddMatrix($"{prefix}{to}.weight", [rows, width], () => Pairs(Read(name + ".weight"), heads));
            AddBias($"{prefix}{to}.bias", name + ".bias", rows, bias => Pairs(bias, heads));
        }
        AddMatrix(prefix + "attn_v.weight", TensorNames.Attention(layer, "v_proj.weight"), keyValue, width);
        AddBias(prefix + "attn_v.bias", TensorNames.Attention(layer, "v_proj.bias"), keyValue, bias => bias);
        AddMatrix(prefix + "attn_output.weight", TensorNames.Attention(layer, "o_proj.weight"), width, query);
        if (_config.OutputBias)
            AddVector(prefix + "attn_output.bias", TensorNames.Attention(layer, "o_proj.bias"));
        if (_config.QueryKeyNorm != QueryKeyNorm.None)
        {
            AddVector(prefix + "attn_q_norm.weight", TensorNames.Attention(layer, "q_norm.weight"));
            AddVector(prefix + "attn_k_norm.weight", TensorNames.Attention(layer, "k_norm.weight"));
        }
    }

    // Queries meet the latent vector itself: the part of kv_b that makes keys is applied to them, and the part that makes values to what comes out.
    private void AddLatentAttention(int layer, string prefix, LatentAttention latent)
    {
        var (width, heads) = ((long)_config.HiddenSize, (long)_config.Heads);
        var (plain, rotary, rank, value) = ((long)latent.PlainSize, (long)latent.RotarySize, (long)latent.KeyValueRank, (long)latent.ValueSize);
        string Name(string tensor) => TensorNames.Attention(layer, tensor);
        if (latent.QueryRank is { } queryRank)
        {
            AddMatrix(prefix + "attn_q_a.weight", Name("q_a_proj.weight"), queryRank, width);
            AddVector(prefix + "attn_q_a_norm.weight", Name("q_a_layernorm.weight"));
        }
        var (to, from) = latent.QueryRank is null ? ("attn_q", "q_proj.weight") : ("attn_q_b", "q_b_proj.weight");
        AddMatrix(
            $"{prefix}{to}.weight", [heads * (plain + rotary), latent.QueryRank ?? width],
            () => RotaryPairs(Read(Name(from)).view(heads, plain + rotary, -1), plain, latent).reshape(heads * (plain + rotary), -1));
        AddMatrix(
            prefix + "attn_kv_a_mqa.weight", [rank + rotary, width],
            () => RotaryPairs(Read(Name("kv_a_proj_with_mqa.weight")).unsqueeze(0), rank, latent).squeeze(0));
        AddVector(prefix + "attn_kv_a_norm.weight", Name("kv_a_layernorm.weight"));
        Tensor Both() => Read(Name("kv_b_proj.weight")).view(heads, plain + value, rank);
        AddSplit(prefix + "attn_k_b.weight", [heads, rank, plain], () => Both().narrow(1, 0, plain).transpose(1, 2));
        AddSplit(prefix + "attn_v_b.weight", [heads, value, rank], () => Both().narrow(1, plain, value));
        AddMatrix(prefix + "attn_output.weight", Name("o_proj.weight"), width, heads * value);
    }

    private void AddMixture(int layer, string prefix)
    {
        var (width, inner, experts) = ((long)_config.HiddenSize, (long)_config.ExpertSize, _config.Experts);
        Add(prefix + "ffn_gate_inp.weight", [experts, width], F32.Instance, () => Read(TensorNames.Router(layer)));
        if (_names.Contains(TensorNames.SelectionBias(layer)))
            AddVector(prefix + "exp_probs_b.bias", TensorNames.SelectionBias(layer));
        foreach (var (name, rows, columns) in new[] { ("gate", inner, width), ("up", inner, width), ("down", width, inner) })
        {
            Add($"{prefix}ffn_{name}_exps.weight", [experts, rows, columns], TypeOf(TensorNames.Expert(layer, 0, name), columns, _type),
                [.. Enumerable.Range(0, experts).Select(e => (Func<Tensor>)(() => Read(TensorNames.Expert(layer, e, name))))]);
        }
        if (_config.SharedSize == 0)
            return;
        AddMlp(prefix + "ffn_{0}_shexp.weight", name => TensorNames.SharedExpert(layer, name), _config.SharedSize);
        if (_config.SharedGate)
            Add(prefix + "ffn_gate_inp_shexp.weight", [width], F32.Instance, () => Read(TensorNames.SharedExpertGate(layer)).view(-1));
    }

    private void AddMlp(string format, Func<string, string> nameOf, long inner)
    {
        long width = _config.HiddenSize;
        foreach (var (name, rows, columns) in new[] { ("gate", inner, width), ("up", inner, width), ("down", width, inner) })
            AddMatrix(string.Format(System.Globalization.CultureInfo.InvariantCulture, format, name), nameOf(name), rows, columns);
    }

    private void AddMatrix(string name, string source, long rows, long columns, IBlockType? type = null) =>
        Add(name, [rows, columns], TypeOf(source, columns, type ?? _type), () => Read(source));

    private void AddMatrix(string name, long[] shape, Func<Tensor> read) => Add(name, shape, TypeOf(name, shape[^1], _type), read);

    // Cut out of another matrix, along rows that nobody chose for blocks.
    private void AddSplit(string name, long[] shape, Func<Tensor> read)
    {
        var fits = _type.Fits(shape[^1]);
        if (!fits)
            _wider++;
        Add(name, shape, fits ? _type : F16.Instance, read);
    }

    private void AddVector(string name, string source) => Add(name, _source.Describe(source).Shape, F32.Instance, () => Read(source));

    private void AddBias(string name, string source, long length, Func<Tensor, Tensor> order)
    {
        if (_config.QueryKeyValueBias)
            Add(name, [length], F32.Instance, () => order(Read(source)));
        else if (_architecture.NeedsBiases)
            Add(name, [length], F32.Instance, () => zeros(length));
    }

    private void Add(string name, IReadOnlyList<long> shape, IBlockType type, params Func<Tensor>[] parts) =>
        _tensors.Add(new GgufTensor(name, shape, type, parts));

    private IBlockType TypeOf(string name, long columns, IBlockType type)
    {
        if (type.Fits(columns))
            return type;
        if (type.BlockSize > Q8.Instance.BlockSize && Q8.Instance.Fits(columns))
        {
            _wider++;
            return Q8.Instance;
        }
        _misfits.Add((name, columns));
        return F16.Instance;
    }

    private static string DescribeMisfit(IReadOnlyList<string> names, long columns)
    {
        var size = Q8.Instance.BlockSize;
        var (below, above) = (columns / size * size, (columns / size + 1) * size);
        return $"'{names[0]}'{(names.Count > 1 ? $" and {names.Count - 1} more" : "")}: rows of {columns}, which blocks of {size} do not divide. "
            + $"The nearest widths that they do: {(below > 0 ? $"{below} and " : "")}{above}. Prune to such a width, or use --type {F16.Instance.Name}.";
    }

    private Tensor Read(string name) => StoredMatrix.Read(_config, _source, name).to(float32);

    // Rows (j, j + D/2) of each head come side by side.
    private Tensor Pairs(Tensor rows, long heads)
    {
        if (!_architecture.RotatesPairs)
            return rows;
        var size = rows.shape[0] / heads;
        return rows.view([heads, 2, size / 2, .. rows.shape[1..]]).transpose(1, 2).reshape(rows.shape);
    }

    // The same for the rotary rows, which follow the others of each head; heads: (n, rows, columns).
    private static Tensor RotaryPairs(Tensor heads, long plain, LatentAttention latent)
    {
        if (latent.Interleaved)
            return heads;
        var (count, columns) = (heads.shape[0], heads.shape[2]);
        var rotary = heads.narrow(1, plain, latent.RotarySize).reshape(count, 2, latent.RotarySize / 2, columns).transpose(1, 2);
        return cat([heads.narrow(1, 0, plain), rotary.reshape(count, latent.RotarySize, columns)], 1);
    }
}
