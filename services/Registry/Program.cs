using Espalier.Registry;
using Espalier.Registry.Api;
using Espalier.Stages;

return await StageService.RunAsync("registry", args, services => services.AddRegistry().AddModelsApi(), app => app.MapModelsApi());
