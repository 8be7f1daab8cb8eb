using Espalier.Upcycler;
using Espalier.Stages;

return await StageService.RunAsync("upcycler", args, services => services.AddUpcycler());
