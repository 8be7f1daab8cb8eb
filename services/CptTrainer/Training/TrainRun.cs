using Espalier.CptTrainer.Options;
using Espalier.Stages;

namespace Espalier.CptTrainer.Training;

/// <summary>What one run works with; nothing of it is disposed here.</summary>
internal sealed record TrainRun(
    StageContext Context, TrainOptions Options, TrainPlan Plan, StartingPoint Start, Teacher? Teacher, RunMonitor Monitor, RoutingRamp Ramp);
