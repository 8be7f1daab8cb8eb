using System.Runtime.Intrinsics.X86;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.CptTrainer.Training;
using Espalier.CptTrainer.Training.Teams;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer;

/// <summary>
/// Trains a new model, or continues pre-training of one. A unit of work is one optimizer step; the position is saved
/// after some time or some steps, and on cancellation, and a run that goes on from it ends in the same bits.
/// </summary>
public sealed class TrainStage(TimeProvider time, TeamPace? pace = null) : IStage
{
    private const int LeastWorkPerSave = 33; // saving takes 3 % of the time at most, where steps do not ask for more

    /// <inheritdoc/>
    public string Kind => StageKinds.Train;

    /// <inheritdoc/>
    public Type OptionsType => typeof(TrainOptions);

    /// <inheritdoc/>
    public StageTraits Traits { get; } = new()
    {
        Summary = "Trains a model: from scratch, or on from a model of an earlier step or of the registry (continued pre-training).",
        Outputs = [OutputNames.Model, OutputNames.TrainerState, OutputNames.Report, OutputNames.Ema, OutputNames.Stable],
        Team = new("workers", "member"),
        OutputOptions = new Dictionary<string, string> { [OutputNames.Ema] = "ema", [OutputNames.Stable] = "stable" },
        Metrics =
        [
            new("train-loss"), new("tokens"), new("operations"), new("max-violation"), new("mean-violation"), new("skipped-steps"),
            .. StageMetric.Named(SymmetryMetrics.Names),
            .. StageMetric.Named(RouterMetrics.Names),
            .. StageMetric.Named(Forecast.Names),
            .. TeamMetrics.All,
            .. StageMetric.Named(Validation.Names, ("validate", [])),
            new("dropped") { When = new Dictionary<string, string> { ["capacity"] = "" } },
            new("experts-per-token"),
            .. StageMetric.Named(Sparsification.Names, ("sparsify", [])),
            new("divergence") { When = new Dictionary<string, string> { [InputNames.Teacher] = "" } },
        ],
    };

    /// <inheritdoc/>
    public async Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        var asked = context.ReadOptions<TrainOptions>();
        using var start = await StartingPoint.OpenAsync(context, asked, cancellationToken).ConfigureAwait(false);
        var options = start.Options;
        var plan = TrainPlan.Of(options);
        foreach (var choice in TrainChoices.Describe(asked, options, start.Decoder.Config))
            context.Progress.Log(choice);
        using var teacher = await Teacher.OpenAsync(context, options, start, cancellationToken).ConfigureAwait(false);
        var monitor = await RunMonitor.OpenAsync(context, options, plan, start, time, cancellationToken).ConfigureAwait(false);
        using var ramp = new RoutingRamp(start.Decoder, options, plan);
        if (ramp.FrozenReplicas > 0)
            context.Progress.Log($"{ramp.FrozenReplicas} replicas start frozen out and are let in gradually.");
        if (options.Precision == Precision.Bf16 && context.Device == "cpu" && !Avx512BW.IsSupported)
            context.Progress.Log("This processor has no bfloat16 arithmetic: 'precision: bf16' is emulated here, and many times slower than fp32. "
                + "Use 'precision: fp32', or a device that has it.");

        foreach (var warning in Repetition.WarningsOf(start.Data.Epochs(plan.Steps)))
            context.Progress.Log($"Warning: {warning}");

        var run = new TrainRun(context, options, plan, start, teacher, monitor, ramp);
        return options.Workers > 1
            ? await ShareAsync(run, cancellationToken).ConfigureAwait(false)
            : await TrainAloneAsync(run, cancellationToken).ConfigureAwait(false);
    }

    private async Task<StageResult> ShareAsync(TrainRun run, CancellationToken cancellationToken)
    {
        using var team = new TeamTraining(run, pace ?? TeamPace.Usual, time);
        return await team.RunAsync(cancellationToken).ConfigureAwait(false) is { } made
            ? await PublishAsync(run, made.Record, default, made.SaveTrainerStateAsync, made.Metrics, cancellationToken).ConfigureAwait(false)
            : new StageResult { Outputs = new Dictionary<string, ManifestRef>() };
    }

    private async Task<StageResult> TrainAloneAsync(TrainRun run, CancellationToken cancellationToken)
    {
        var (context, options, plan, start, _, _, _) = run;
        using var optimizer = OptimizerChoice.Create(start.Decoder, options);
        using var average = options.Ema is { } kept ? new WeightAverage(start.Decoder.Buffer, kept) : null;
        using var stable = options.Stable == true ? new StableWeights(start.Decoder, plan.Schedule.DecayStart) : null;
        if (options.OptimizerState == OptimizerStart.Continue)
            await TrainerStateFiles.LoadAsync(context.Artifacts, FindTrainerState(context), start.Decoder, optimizer, cancellationToken).ConfigureAwait(false);
        using var means = MixtureMethods.MeansOf(options, start.Decoder);
        optimizer.Frozen = WeightGroups.Frozen(start.Decoder, options.Only, withoutRouters: means is not null);
        optimizer.Rates = WeightGroups.Rates(start.Decoder, options.Rates);
        using var sparsification = Sparsification.Of(options, plan, start.Decoder);
        var copies = new WeightCopies(average, stable, sparsification, means);
        var record = await TrainAsync(run, optimizer, copies, cancellationToken).ConfigureAwait(false);
        var exchanges = options.Workers is null ? new Dictionary<string, double>() : TeamMetrics.Of(0, 0);
        return await PublishAsync(
            run, record, copies, model => TrainerStateFiles.SaveAsync(context.Artifacts, start.Decoder, optimizer, model, cancellationToken), exchanges,
            cancellationToken).ConfigureAwait(false);
    }

    private async Task<TrainingRecord> TrainAsync(TrainRun run, IOptimizer optimizer, WeightCopies copies, CancellationToken cancellationToken)
    {
        var (context, options, plan, start, teacher, monitor, ramp) = run;
        var decoder = start.Decoder;
        var elastic = new ElasticRouting(options, decoder);
        var trainer = new DecoderTrainer(decoder, optimizer, SettingsOf(options, teacher, start))
        {
            HeldBack = ramp.HeldBack,
            Masks = copies.Sparsification?.Masks,
        };
        var folding = new SelectionBiasFolding(options, plan);
        var cursor = new TrainerCursor(context, decoder, optimizer, time) 
        {
            Average = copies.Average,
            StableWeights = copies.Stable,
            Sparsification = copies.Sparsification,
            RouterMeans = copies.Means,
        };
        await using var _ = cursor.ConfigureAwait(false);
        var (first, record) = await cursor.RestoreAsync(cancellationToken).ConfigureAwait(false) ?? (0, new TrainingRecord());
        trainer.Spikes = options.SkipSpikes > 0 ? new SpikeGuard(options.SkipSpikes, record.GradientNorms) : null;
        monitor.Begin(first, record);
        BeginMeans(run, copies.Means, first);
        var (savedAt, savedStep) = (time.GetTimestamp(), first);
        for (var step = first; step < plan.Steps; step++)
        {
            if (cancellationToken.IsCancellationRequested)
            {
                await cursor.BeginSaveAsync(step, record, CancellationToken.None).ConfigureAwait(false);
                await cursor.EndSaveAsync().ConfigureAwait(false);
                cancellationToken.ThrowIfCancellationRequested();
            }
            ramp.Apply(decoder, step);
            copies.Stable?.Before(step);
            copies.Sparsification?.Before(step);
            folding.Apply(decoder, trainer, step);
            elastic.Draw(start.Data.NumberOf(step));
            var rate = plan.Schedule.At(step);
            var outcome = Step(context, trainer, start.Data, rate, step, copies.Means);
            if (outcome.IsSkipped)
                copies.Means?.Discard();
            else
                copies.Means?.Update();
            copies.Average?.Update(step + 1);
            record.Add(step, rate, outcome, plan);
            var operations = OperationsOf(decoder.Config, teacher, plan, outcome);
            elastic.Restore();
            record.Operations += operations;
            monitor.After(step, outcome, rate, operations, record);
            if (outcome.IsSkipped)
                context.Progress.Log(
                    $"Optimizer step {step + 1} was skipped: its gradient norm is {outcome.GradientNorm:g3}. Skipped so far: {record.SkippedSteps}.");
            var pause = TimeSpan.FromTicks(Math.Max(options.CheckpointEvery.Ticks, cursor.LastCost.Ticks * LeastWorkPerSave));
            var isDue = (time.GetElapsedTime(savedAt) >= pause && !cursor.IsSaving)
                || (options.CheckpointSteps > 0 && step + 1 - savedStep >= options.CheckpointSteps);
            if (isDue && step + 1 < plan.Steps && !record.Watch.IsRising(options.MaxRise))
            {
                // A save that has begun is finished, also when the run is cancelled meanwhile.
                await cursor.BeginSaveAsync(step + 1, record, CancellationToken.None).ConfigureAwait(false);
                (savedAt, savedStep) = (time.GetTimestamp(), step + 1);
            }
        }
        return record; // what is still being saved is waited for, and no longer needed
    }

    private static void BeginMeans(TrainRun run, KMeansRouters? means, long first)
    {
        using var scope = NewDisposeScope();
        if (first == 0 && means is not null && run.Start.Data.Step(0)[0] is var batch) // (B, S + 1)
            means.Begin(batch.narrow(1, 0, batch.shape[1] - 1).contiguous(), run.Start.RouterStart, run.Options.Seed);
    }

    /// <summary>Arithmetic of one step.</summary>
    internal static double OperationsOf(ModelConfig config, Teacher? teacher, TrainPlan plan, StepOutcome outcome)
    {
        var active = outcome.ExpertsPerToken is { } used
            ? config.ActiveParameters - config.SparseLayers.Count * (config.ExpertsPerToken - used) * config.ExpertParameters : config.ActiveParameters;
        return (plan.OperationsPerWeight * active + (teacher?.OperationsPerToken ?? 0)) * plan.TokensPerStep;
    }

    /// <summary>What the options ask of every step.</summary>
    internal static TrainerSettings SettingsOf(TrainOptions options, Teacher? teacher, StartingPoint start) => new()
    {
        Balance = options.Balance,
        BalanceCoefficient = options.BalanceCoefficient,
        BalanceScope = options.BalanceScope ?? BalanceScope.Batch,
        BalanceRate = options.BalanceRate,
        RouterZCoefficient = options.ZLoss,
        GradientClip = options.GradientClip,
        Recompute = options.Recompute,
        Distillation = teacher?.Distillation,
        Dropout = options.Dropout ?? 0,
        ExpertDropout = options.ExpertDropout ?? 0,
        Capacity = options.Capacity,
        RouterEntropyCoefficient = MixtureMethods.EntropyLoss(options, start.Decoder.Config),
        DocumentEnd = options.DocumentMask == true ? start.Tokenizer.EndTokenId : null,
        FollowsTokens = MixtureMethods.FollowsTokens(options, start.Decoder.Config),
        Seed = options.Seed,
    };

    /// <summary>Takes a step.</summary>
    /// <exception cref="UserInputException">The run has diverged.</exception>
    internal static StepOutcome Step(StageContext context, DecoderTrainer trainer, TrainingData data, double rate, long step, IMoeObserver? observer = null)
    {
        try
        {
            return trainer.Step(data.Step(step), rate, observer, data.NumberOf(step));
        }
        catch (TrainingDivergedException e)
        {
            throw new UserInputException(DivergedRun.Describe(context, data, step, rate, e.Message), e);
        }
    }

    private static async Task<StageResult> PublishAsync(
        TrainRun run, TrainingRecord record, WeightCopies copies, Func<Parent, Task<ManifestRef>> saveTrainerState,
        IReadOnlyDictionary<string, double> exchanges, CancellationToken cancellationToken)
    {
        var (context, options, plan, start, _, monitor, _) = run;
        var decoder = start.Decoder;
        var symmetry = SymmetryMetrics.Measure(decoder, start.Data, plan.Steps - 1).Concat(RouterMetrics.Measure(decoder, start.Data, plan.Steps - 1));
        IReadOnlyList<string> notes =
        [
            .. PredictionLayers.LeftOut(decoder.Config, "they are not trained, and the layers below them have changed"),
            .. new SelectionBiasFolding(options, plan).Finish(decoder, record),
            .. MixtureMethods.NotesOf(decoder.Config),
            .. copies.Sparsification?.Notes(options.Sparsify!) ?? [],
            .. FamilyGap.Of(decoder.Config with { Quantization = null }, decoder.HasRouterBias, decoder.HasSelectionBias).Select(gap => gap.Note),
        ];

        var model = await SaveModelAsync(run, cancellationToken).ConfigureAwait(false);
        var lineage = new Parent(model.Root, "trained", context.Step.Key);

        var metrics = new Dictionary<string, double>(symmetry.Concat(monitor.MetricsOf(record)).Concat(exchanges))
        {
            ["train-loss"] = record.History[^1].Loss,
            ["tokens"] = plan.Tokens,
            ["operations"] = record.Operations,
            ["max-violation"] = LoadMetrics.MaxViolationOf(record.Load[^1].Layers),
            ["mean-violation"] = LoadMetrics.MeanViolationOf(record.Load[^1].Layers),
            ["skipped-steps"] = record.SkippedSteps,
            ["experts-per-token"] = record.History[^1].ExpertsPerToken ?? decoder.Config.ExpertsPerToken,
        };
        foreach (var (name, value) in copies.Sparsification?.Metrics ?? new Dictionary<string, double>())
            metrics[name] = value;
        if (record.History[^1].Divergence is { } divergence)
            metrics["divergence"] = divergence;
        if (record.History[^1].Dropped is { } dropped)
            metrics["dropped"] = dropped;
        var outputs = new Dictionary<string, ManifestRef>
        {
            [OutputNames.Model] = model,
            [OutputNames.TrainerState] = await saveTrainerState(lineage).ConfigureAwait(false),
            [OutputNames.Report] = await TrainReport.SaveAsync(
                context, options, decoder.Config, plan, record, start.Data, metrics, notes, lineage, cancellationToken).ConfigureAwait(false),
        };
        if (copies.Average is { } average)
        {
            average.Apply(); // the weights themselves are saved
            copies.Sparsification?.Masks.Apply(); // what was pruned is in it from before
            copies.Means?.NormalizeRows();
            outputs[OutputNames.Ema] = await SaveModelAsync(run, cancellationToken).ConfigureAwait(false);
        }
        if (copies.Stable is { } stable)
        {
            run.Ramp.Route(decoder, Math.Min(stable.Step, plan.Steps - 1));
            stable.Apply();
            outputs[OutputNames.Stable] = await SaveModelAsync(run, cancellationToken).ConfigureAwait(false);
        }
        return new StageResult { Outputs = outputs, Metrics = metrics, Notes = notes };
    }

    private static async Task<ManifestRef> SaveModelAsync(TrainRun run, CancellationToken cancellationToken)
    {
        var (context, start) = (run.Context, run.Start);
        using var writer = new CheckpointWriter(context.Artifacts);
        await CheckpointSaver.AddAsync(writer, start.Decoder, cancellationToken).ConfigureAwait(false);
        foreach (var (path, bytes) in start.SideFiles)
            await writer.AddFileAsync(path, bytes, cancellationToken).ConfigureAwait(false);
        if (start.Source is { } source)
            writer.AddParent(new Parent(source.Root, "trained", context.Step.Key));
        if (run.Teacher is { } teacher)
            writer.AddParent(new Parent(teacher.Source.Root, InputNames.Teacher, context.Step.Key));
        writer.AddParent(new Parent(context.Dataset().Root, "data", context.Step.Key));
        return await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private static ManifestRef FindTrainerState(StageContext context) =>
        context.Inputs.Where(i => i.Output == OutputNames.TrainerState).ToList() is [var only]
            ? only.Artifact
            : throw new UserInputException(
                $"Step '{context.Step.Name}' has optimizer-state: continue, which needs exactly one trainer-state among its inputs.");

    /// <summary>Copies of the weights that become outputs of their own, what is pruned of the weights, and the means that routers follow.</summary>
    private readonly record struct WeightCopies(WeightAverage? Average, StableWeights? Stable, Sparsification? Sparsification, KMeansRouters? Means);
}
