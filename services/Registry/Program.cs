using Espalier.Registry;
using Espalier.Registry.Api;
using Espalier.Stages;

return await StageService.RunAsync("registry", args, services => services.AddRegistry().AddRegistryEvents().AddModelsApi().AddPortal(), app =>
{
    app.MapPortal();
    app.MapModelsApi();
}, bus => bus.AddModelConsumers());
