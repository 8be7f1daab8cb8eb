using Espalier.Hosting;
using Espalier.Registry;
using Espalier.Registry.Api;
using Espalier.Stages;

if (args is [RegistryMigration.Verb, .. var rest])
    return await ServiceHost.RunOnceAsync("registry", rest, RegistryMigration.Plan);
return await StageService.RunAsync("registry", args, services => services.AddRegistry().AddRegistryEvents().AddModelsApi().AddPortal(), app =>
{
    app.MapPortal();
    app.MapModelsApi();
}, bus => bus.AddModelConsumers());
