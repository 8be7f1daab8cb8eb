using System.Text.Json.Nodes;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.Stages.Methods;
using Espalier.Surgery;
using Espalier.Surgery.Calibration;
using Espalier.Upcycler.Calibration;
using Espalier.Upcycler.Growth;
using Espalier.Upcycler.Methods;
using Espalier.Upcycler.Metrics;
using Espalier.Upcycler.Planning;
using Espalier.Upcycler.ExpertSelection;
using TorchSharp;

namespace Espalier.Upcycler;

/// <summary>Grows a mixture of experts: check, score, plan, write, measure. (Expert Upcycling, arXiv 2604.19835.)</summary>
public sealed class UpcycleStage : IStage
{
    internal const int MeasuredSequences = 8;
    private const string Method = "method", Calibration = "calibration", TotalTokens = "total-tokens";

    /// <inheritdoc/>
    public string Kind => StageKinds.Upcycle;

    /// <inheritdoc/>
    public Type OptionsType => typeof(UpcycleOptions);

    /// <inheritdoc/>
    public StageTraits Traits { get; } = new()
    {
        Summary = "Grows a model: makes more experts out of those that it has, or a mixture of experts out of a dense model, or more layers; "
            + "the result starts where the source was.",
        Outputs = [OutputNames.Model, OutputNames.TrainerState, OutputNames.Report],
        Metrics = DeclaredMetrics(),
    };

    /// <inheritdoc/>
    public async Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        var options = context.ReadOptions<UpcycleOptions>();
        if (MethodCatalog<IUpcycleMethod>.Get(options.Method, "method") is IModelGrowth method)
            return await GrowModelAsync(context, method, cancellationToken).ConfigureAwait(false);
        var source = await MoeCheckpoint.OpenAsync(context.Artifacts, context.Model(), cancellationToken).ConfigureAwait(false);
        var trainerState = FindTrainerState(context, source.Artifact);
        UpcycleRules.Check(options, source.Config, trainerState is not null);
        if (source.Config.SparseLayers.Any(layer => options.In(layer).Router is { Method: "copy", Noise: not null }))
            context.Progress.Log("router.noise is not used: router method copy adds none.");
        var state = trainerState is null ? null : await CheckpointReader.OpenAsync(context.Artifacts, trainerState, cancellationToken).ConfigureAwait(false);
        var text = new CalibrationText(context, source.Reader, source.Config, options.Calibration, options.Seed);

        var (plans, tokens) = await PlanAsync(context, options, source, state, text, cancellationToken).ConfigureAwait(false);
        RefuseSymmetryLock(options, source, plans);
        context.Progress.Report("writing", 0, plans.Count, "layers");
        var model = await new CheckpointGrower(source, options).WriteAsync(context.Artifacts, plans, context.Step.Key, cancellationToken).ConfigureAwait(false);
        var grown = await MoeCheckpoint.OpenAsync(context.Artifacts, model, cancellationToken).ConfigureAwait(false);
        context.Progress.Report("writing", plans.Count, plans.Count, "layers");

        var change = text.IsGiven ? await MeasureAsync(context, source, grown, text, plans, cancellationToken).ConfigureAwait(false) : null;
        var notes = Notes(source, grown, text);
        var report = new UpcycleReport(options, source, grown, plans)
        {
            Notes = notes,
            Tokens = tokens,
            Change = change,
            Text = text.Loaded,
        };
        var metrics = report.Metrics();
        var outputs = new Dictionary<string, ManifestRef>
        {
            [OutputNames.Model] = model,
            [OutputNames.Report] = await SurgeryReport.PublishAsync(
                context.Artifacts, new Dictionary<string, JsonNode> { ["report.json"] = report.ToJson(metrics) },
                [new Parent(model.Root, "upcycled", context.Step.Key)], cancellationToken).ConfigureAwait(false),
        };
        if (options.OptimizerState != OptimizerStatePolicy.Reset)
            outputs[OutputNames.TrainerState] = await new TrainerStateGrower(source, state!, options)
                .WriteAsync(context.Artifacts, plans, grown, context.Step.Key, cancellationToken).ConfigureAwait(false);
        return new StageResult { Outputs = outputs, Metrics = metrics, Notes = notes };
    }

    private static async Task<StageResult> GrowModelAsync(StageContext context, IModelGrowth method, CancellationToken cancellationToken)
    {
        var options = GrowthOptions.Of(context.Options);
        ModelGrowthRules.Check(options.Stage, method);
        var source = await MoeCheckpoint.OpenAsync(context.Artifacts, context.Model(), cancellationToken).ConfigureAwait(false);
        var others = new List<MoeCheckpoint>();
        foreach (var input in context.Inputs.Where(i => i.Output == OutputNames.Model && i.Artifact != source.Artifact))
            others.Add(await MoeCheckpoint.OpenAsync(context.Artifacts, input.Artifact, cancellationToken).ConfigureAwait(false));
        var config = ModelGrowth.Configure(method, source.Config, options);
        context.Progress.Report("writing", 0, 1, "models");
        var model = await ModelGrowth.RunAsync(context.Artifacts, method, source, others, config, options, context.Step.Key, cancellationToken)
            .ConfigureAwait(false);
        var grown = await MoeCheckpoint.OpenAsync(context.Artifacts, model, cancellationToken).ConfigureAwait(false);
        context.Progress.Report("writing", 1, 1, "models");
        var text = new CalibrationText(context, source.Reader, source.Config, options.Stage.Calibration, options.Stage.Seed);
        var change = text.IsGiven ? await MeasureAsync(context, source, grown, text, null, cancellationToken).ConfigureAwait(false) : null;
        var notes = Notes(source, grown, text);
        var report = new ModelGrowthReport(options, method, source, grown)
        {
            Notes = notes,
            Change = change,
            Text = text.Loaded,
        };
        var metrics = report.Metrics();
        return new StageResult
        {
            Outputs = new Dictionary<string, ManifestRef>
            {
                [OutputNames.Model] = model,
                [OutputNames.Report] = await SurgeryReport.PublishAsync(
                    context.Artifacts, new Dictionary<string, JsonNode> { ["report.json"] = report.ToJson(metrics) },
                    [new Parent(model.Root, "upcycled", context.Step.Key)], cancellationToken).ConfigureAwait(false),
            },
            Metrics = metrics,
            Notes = notes,
        };
    }

    private static IReadOnlyList<string> Notes(MoeCheckpoint source, MoeCheckpoint grown, CalibrationText text) =>
    [
        .. text.Loaded?.Shortfall is { } shortfall ? [shortfall] : Array.Empty<string>(),
        .. PredictionLayers.LeftOut(source.Config, "they were made for the model before growth"),
        .. OwnCodeLeftOut(source.Config, grown.Config),
        .. FamilyGap.Of(grown.Config, grown.Reader.Names).Select(gap => gap.Note),
    ];

    private static IEnumerable<string> OwnCodeLeftOut(ModelConfig before, ModelConfig after)
    {
        if (before.HasOwnCode && !after.HasOwnCode)
            yield return $"auto_map of config.json is left out: the model's own code is for {before.Family}, and this is {after.Family}. Its files are kept.";
    }

    private static async Task<(IReadOnlyList<LayerPlan> Plans, IReadOnlyList<long[]>? Tokens)> PlanAsync(
        StageContext context, UpcycleOptions options, MoeCheckpoint source, CheckpointReader? state, CalibrationText text, CancellationToken cancellationToken)
    {
        var metric = MethodCatalog<IUsefulnessMetric>.Get(options.Metric, "metric");
        var scores = UpcycleRules.NeedsScores(options, source.Config)
            ? await new ExpertScores(context, source, metric, options, state)
                .ScoreAsync(
                    async () => (await text.LoadAsync(cancellationToken).ConfigureAwait(false)).Split(options.Calibration!.Batches),
                    cancellationToken).ConfigureAwait(false)
            : new ScoreTable([.. source.Config.SparseLayers.Select(_ => Array.Empty<double>())], null);
        return ([.. source.Config.SparseLayers.Zip(scores.PerLayer, (layer, ofLayer) =>
            Planner(layer).Plan(layer, source.Config.Experts, ofLayer, source.Config.ExpertGroups))], scores.Tokens);

        LayerPlanner Planner(int layer)
        {
            var own = options.In(layer);
            return new LayerPlanner(MethodCatalog<IExpertSelection>.Get(own.Method, "method"), metric,
                MethodCatalog<ISlotSelection>.Get(own.Selection, "selection"), own);
        }
    }

    private static void RefuseSymmetryLock(UpcycleOptions options, MoeCheckpoint source, IReadOnlyList<LayerPlan> plans)
    {
        if (options.AllowSymmetryLock || options.Preserve != Preservation.None)
            return;
        foreach (var plan in plans)
            if (SymmetryLock.FindLocked(Twins.Find(plan, source.Config.Experts, options.In(plan.Layer)), source.Config.ExpertsPerToken) is { } expert)
                throw new UserInputException(
                    $"Symmetry lock: in layer {plan.Layer}, copies of expert {expert} would always be chosen together for the same tokens, with equal "
                        + "gates and gradients, and never become different. " +
                    "Use router method copy-noise or bias-only, or preserve sibling-exclusive; set allow-symmetry-lock: true to grow anyway.");
    }

    private static async Task<FunctionChange> MeasureAsync(
        StageContext context, MoeCheckpoint source, MoeCheckpoint grown, CalibrationText text,
        IReadOnlyList<LayerPlan>? plans, CancellationToken cancellationToken)
    {
        context.Progress.Report("measuring", 0, 1, "models");
        var device = new torch.Device(context.Device);
        return FunctionChange.Measure(
            new LayeredModel(source.Config, new StoredWeights(source.Reader), device),
            new LayeredModel(grown.Config, new StoredWeights(grown.Reader), device),
            (await text.LoadAsync(cancellationToken).ConfigureAwait(false)).First(MeasuredSequences),
            plans?.Select(p => p.Origins).ToList());
    }

    private static ManifestRef? FindTrainerState(StageContext context, ManifestRef model)
    {
        var step = context.Inputs.First(i => i.Artifact == model).Step;
        return context.Inputs.FirstOrDefault(i => i.Output == OutputNames.TrainerState && i.Step == step)?.Artifact
            ?? (context.Inputs.Where(i => i.Output == OutputNames.TrainerState).ToList() is [var only] ? only.Artifact : null);
    }

    private static List<StageMetric> DeclaredMetrics()
    {
        var models = MethodCatalog<IUpcycleMethod>.All.OfType<IModelGrowth>().Select(m => m.Name).ToArray();
        var experts = MethodCatalog<IUpcycleMethod>.Names.Except(models).ToArray();
        return
        [
            .. StageMetric.Named(UpcycleReport.MetricNames, (Method, experts)),
            .. StageMetric.Named(UpcycleReport.MeasuredNames, (Method, experts), (Calibration, [])),
            .. StageMetric.Named(ModelGrowthReport.MetricNames, (Method, models)),
            .. StageMetric.Named(ModelGrowthReport.TimingNames, (TotalTokens, [])),
            .. StageMetric.Named(ModelGrowthReport.MeasuredNames, (Method, models), (Calibration, [])),
        ];
    }
}
