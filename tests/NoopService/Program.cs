using Espalier.Hosting;
using Espalier.NoopService;
using Espalier.Stages;
using Espalier.Stages.Worker;

return await ServiceHost.RunAsync("noop", args, builder => builder.AddStageService(services => services
    .AddSingleton<INumericsClass, FixedNumerics>()
    .AddSingleton<IStage, UnitsStage>()));
