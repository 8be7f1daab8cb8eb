using Espalier.Hosting;
using Espalier.Pruner;
using Espalier.Stages;

return await ServiceHost.RunAsync("pruner", args, builder => builder.AddStageService(services => services.AddPruner()));
