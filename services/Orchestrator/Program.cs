using Espalier.Hosting;
using Espalier.Orchestrator;
using Espalier.Orchestrator.Api;
using Espalier.Orchestrator.Database;

if (args is [LedgerMigration.Verb, .. var rest])
    return await ServiceHost.RunOnceAsync("orchestrator", rest, LedgerMigration.Plan);
return await ServiceHost.RunAsync("orchestrator", args, builder => builder.AddOrchestratorService(), app =>
{
    app.UseFreshGauges();
    app.MapRunsApi();
});
