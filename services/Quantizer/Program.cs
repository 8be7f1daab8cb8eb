using Espalier.Quantizer;
using Espalier.Stages;

return await StageService.RunAsync("quantizer", args, services => services.AddQuantizer());
