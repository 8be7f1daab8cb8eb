using System.Text.Json.Nodes;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.Checkpoints;
using Espalier.Modeling.WeightFormats;
using Espalier.Quantizer.Grids;
using Espalier.Quantizer.Methods;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.Stages.Methods;
using static TorchSharp.torch;

namespace Espalier.Quantizer;

/// <summary>What one step does: checked options, the source model and the method. Everything a layer needs to know.</summary>
internal sealed record QuantizationWork
{
    /// <summary>Name of the model's configuration file.</summary>
    public const string ConfigFile = "config.json";

    public required QuantizeOptions Options { get; init; }
    public required QuantizationScheme Scheme { get; init; }
    public required IWeightFormat Format { get; init; }
    public required IQuantizationMethod Method { get; init; }
    public required CheckpointReader Source { get; init; }
    public required ModelConfig Config { get; init; }
    public required TargetMatrices Targets { get; init; }

    /// <summary>Bytes that all tensors of the result may take, when codes of several widths are chosen among; else null.</summary>
    public long? Budget { get; init; }

    /// <summary>The source's tensors.</summary>
    public IWeightSource Weights => new StoredWeights(Source);

    /// <summary>The configuration that the result's weights are read with.</summary>
    public ModelConfig QuantizedConfig => Config with { Quantization = Scheme.In(Format), TernaryExperts = Config.TernaryExperts && !Method.MakesTernary };

    /// <summary>The result's configuration as it is written.</summary>
    /// <param name="reordersColumns">Whether the method visited columns in another order.</param>
    /// <param name="bits">Bits of each matrix, by the name of its weight; empty where all have the scheme's.</param>
    public ModelConfig FinalConfig(bool reordersColumns, IReadOnlyDictionary<string, int> bits)
    {
        var kinds = bits.GroupBy(matrix => matrix.Value).OrderByDescending(kind => kind.Count()).ThenBy(kind => kind.Key)
            .Select(kind => (Scheme with { Bits = kind.Key }).In(Format) with { Modules = [.. kind.Select(matrix => matrix.Key[..^".weight".Length])] })
            .ToList();
        var most = kinds.Count == 0 ? Scheme.In(Format) : kinds[0] with { Modules = null, Others = [.. kinds.Skip(1)] };
        return QuantizedConfig with { Quantization = most with { KeptModules = ["lm_head"], ReordersColumns = reordersColumns } };
    }

    /// <summary>Embedding, last norm and head, and layers that are not run.</summary>
    public IEnumerable<string> NamesOutsideLayers =>
        Source.Names.Where(name => !Enumerable.Range(0, Config.Layers).Any(layer => name.StartsWith(TensorNames.Layer(layer), StringComparison.Ordinal)));

    /// <summary>Reads the options and the model, and refuses what cannot be done before any work starts.</summary>
    public static QuantizationWork Prepare(StageContext context, CheckpointReader source)
    {
        var options = context.ReadOptions<QuantizeOptions>();
        var (format, scheme) = ReadScheme(options);
        if (!source.HasFile(ConfigFile))
            throw new UserInputException($"The model {source.Root.Short} has no {ConfigFile}.");
        var config = ModelConfig.Parse(source.ReadFile(ConfigFile));
        if (config.Quantization is { } done)
            throw AlreadyDone(done);
        var work = new QuantizationWork
        {
            Options = options,
            Scheme = scheme,
            Format = format,
            Method = MethodCatalog<IQuantizationMethod>.Get(options.Method, "method"),
            Source = source,
            Config = config,
            Targets = new TargetMatrices(config, options.Targets),
        };
        work.Targets.CheckFamily();
        CheckMethod(work.Method, config);
        foreach (var kind in SchemesOf(work.Method, scheme, format))
            work.Targets.Check(kind, format);
        if (work.Method is Mixed)
            work = work with { Budget = Mixed.Budget(context.ReadOptions<Mixed.Settings>(), work.SmallestBytes()) };
        foreach (var name in work.NamesOutsideLayers)
            work.CheckFinite(name);
        return work;
    }

    /// <summary>The kinds of codes that a matrix may get, the narrowest first.</summary>
    public static IReadOnlyList<QuantizationScheme> SchemesOf(IQuantizationMethod method, QuantizationScheme scheme, IWeightFormat format) =>
        method is Mixed ? Mixed.Schemes(scheme, format) : [scheme];

    /// <summary>Format and scheme that the options name, when they go together.</summary>
    /// <exception cref="UserInputException">They do not; says what would.</exception>
    public static (IWeightFormat Format, QuantizationScheme Scheme) ReadScheme(QuantizeOptions options)
    {
        var method = MethodCatalog<IQuantizationMethod>.Get(options.Method, "method");
        options = method.Own?.Resolve(options) ?? options;
        var format = WeightFormat.All.FirstOrDefault(format => format.Name == options.Format)
            ?? throw new UserInputException(
                $"Option 'format': there is no '{options.Format}'. Choose one of: {string.Join(", ", WeightFormat.All.Select(f => f.Name))}.");
        if (!format.Bits.Contains(options.Bits))
            throw new UserInputException($"'bits' is {options.Bits}; weights are stored in {string.Join(" or ", format.Bits)} bits.");
        if (format.IsFloatingPoint && method.Own?.Format != format.Name)
            throw new UserInputException($"'format' is {format.Name}, which has no whole numbers as method '{method.Name}' gives them: use method fp8.");
        if (options.GroupSize == 1 || options.GroupSize == WeightQuantization.PerTensor && method.Own is null)
            throw new UserInputException($"'group-size' is {options.GroupSize}; give 2 or more columns, or -1 for one scale per output channel.");
        var scheme = new QuantizationScheme(options.Bits, options.GroupSize, options.Symmetric);
        return format.Refuse(scheme.In(format)) is { } reason ? throw new UserInputException($"'format' is {format.Name}: {reason}") : (format, scheme);
    }

    // Of the result's tensors, with the scheme's bits everywhere.
    private long SmallestBytes()
    {
        var coded = Enumerable.Range(0, Config.Layers).SelectMany(Targets.OfLayer).ToHashSet(StringComparer.Ordinal);
        return Source.Manifest.Tensors.Sum(entry => !coded.Contains(entry.Name) ? entry.SizeBytes
            : Format.Layout(entry.Name, entry.Shape[0], entry.Shape[1], Scheme.In(Format)).Sum(part => part.SizeBytes(entry.DType == "F32" ? 4 : 2)));
    }

    /// <summary>The refusal of a model that is quantized already.</summary>
    public static UserInputException AlreadyDone(WeightQuantization done) =>
        new($"The model is quantized already, to {string.Join(" and ", done.Kinds.Select(kind => kind.Bits).Distinct())} bits: "
            + "name the step before it in 'from'.");

    /// <summary>What people have to know.</summary>
    public IReadOnlyList<string> Notes => [.. OfExtraLayers, .. Format.Note is { } note ? [note] : Array.Empty<string>(), .. OfNarrowCodes, .. OfZeroPoints];

    private IEnumerable<string> OfExtraLayers => Config.ExtraLayers == 0 ? [] :
    [
        $"The {Config.ExtraLayers} prediction layer(s) after layer {Config.Layers - 1} (num_nextn_predict_layers) keep their weights: they are not run here, "
            + "so nothing is known of their inputs. config.json lists their modules as plain.",
    ];

    /// <summary>A matrix (out, in) as it is stored.</summary>
    /// <exception cref="UserInputException">It is missing, no matrix of floating-point numbers, or not finite.</exception>
    public Tensor ReadMatrix(string name)
    {
        if (!Weights.Names.Contains(name))
            throw new UserInputException($"The model lacks tensor '{name}', which its config.json calls for.");
        var stored = Weights.Read(name);
        if (stored.dtype is not (ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16) || stored.dim() != 2)
            throw new UserInputException(
                $"Tensor '{name}' is {stored.dtype} [{string.Join(", ", stored.shape)}]; a matrix of float32, bfloat16 or float16 can be quantized.");
        RefuseNonFinite(name, stored);
        return stored;
    }

    private IEnumerable<string> OfNarrowCodes => Scheme.Bits >= 4 || Format.Name != WeightFormat.Default ? [] :
        [$"compressed-tensors reads codes of {Scheme.Bits} bits; servers with kernels for 4 and 8 bits, as vLLM, refuse them."];

    private IEnumerable<string> OfZeroPoints => Scheme.Symmetric || !Config.IsMixture ? [] :
        ["Codes of experts have zero points. compressed-tensors and transformers read them; servers whose kernels for experts take symmetric codes only, "
            + "as vLLM's, refuse them."];

    /// <summary>Refuses a method that the model has no place for, and says what it has.</summary>
    public static void CheckMethod(IQuantizationMethod method, ModelConfig config)
    {
        if (method is IFoldingMethod && config.TernaryExperts)
            throw new UserInputException($"Method '{method.Name}' scales the columns of experts, and this model rounds its experts to three values where they "
                + "are used, with one scale for each: scaled columns would be other experts. Use method ternary.");
    }

    /// <summary>Refuses a tensor with NaN or infinity by name.</summary>
    public void CheckFinite(string name)
    {
        using var scope = NewDisposeScope();
        RefuseNonFinite(name, Weights.Read(name));
    }

    /// <summary>Refuses values with NaN or infinity; <paramref name="name"/> says whose they are.</summary>
    public static void RefuseNonFinite(string name, Tensor values)
    {
        if (values.is_floating_point() && !values.isfinite().all().item<bool>())
            throw new UserInputException($"Tensor '{name}' holds NaN or infinity; the checkpoint is damaged or its training diverged.");
    }

    /// <summary>What the manifest says about how the model came about.</summary>
    public JsonObject Describe()
    {
        var description = DescribeCodes();
        if (Budget is { } budget)
            description["budget-bytes"] = budget;
        return description;
    }

    private JsonObject DescribeCodes() => new()
    {
        ["method"] = Method.Name,
        ["bits"] = Scheme.Bits,
        ["group-size"] = Scheme.GroupSize,
        ["symmetric"] = Scheme.Symmetric,
        ["scale-convention"] = Method.Convention(Scheme),
        ["targets"] = Options.Targets.ToString().ToLowerInvariant(),
        ["seed"] = Options.Seed,
    };
}
