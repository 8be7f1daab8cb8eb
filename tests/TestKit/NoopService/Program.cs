using Espalier.NoopService;
using Espalier.Stages;
using Espalier.Stages.Worker;

return await StageService.RunAsync("noop", args, services => services
    .AddSingleton<INumericsClass, FixedNumerics>()
    .AddSingleton<IStage, UnitsStage>());
