using Espalier.Evaluator;
using Espalier.Stages;

return await StageService.RunAsync("evaluator", args, services => services.AddEvaluator());
