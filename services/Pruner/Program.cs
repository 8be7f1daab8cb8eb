using Espalier.Pruner;
using Espalier.Stages;

return await StageService.RunAsync("pruner", args, services => services.AddPruner());
