using Espalier.Hosting;
using Espalier.Stages;
using Espalier.Upcycler;

return await ServiceHost.RunAsync("upcycler", args, builder => builder.AddStageService(services => services.AddUpcycler()));
