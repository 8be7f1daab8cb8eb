using Espalier.CptTrainer;
using Espalier.Stages;

return await StageService.RunAsync("cpt-trainer", args, services => services.AddCptTrainer());
