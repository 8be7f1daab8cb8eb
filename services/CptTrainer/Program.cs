using Espalier.CptTrainer;
using Espalier.Hosting;
using Espalier.Stages;

return await ServiceHost.RunAsync("cpt-trainer", args, builder => builder.AddStageService(services => services.AddCptTrainer()));
