using Espalier.Hosting;
using Espalier.Orchestrator;
using Espalier.Orchestrator.Api;

return await ServiceHost.RunAsync("orchestrator", args, builder => builder.AddOrchestratorService(), app => app.MapRunsApi());
