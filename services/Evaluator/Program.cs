using Espalier.Evaluator;
using Espalier.Hosting;
using Espalier.Stages;

return await ServiceHost.RunAsync("evaluator", args, builder => builder.AddStageService(services => services.AddEvaluator()));
