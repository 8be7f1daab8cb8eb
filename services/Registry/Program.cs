using Espalier.Hosting;
using Espalier.Registry;
using Espalier.Registry.Api;
using Espalier.Stages;

return await ServiceHost.RunAsync(
    "registry", args, builder => builder.AddStageService(services => services.AddRegistry()), app => app.MapModelsApi());
