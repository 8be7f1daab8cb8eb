using Espalier.Hosting;
using Espalier.Quantizer;
using Espalier.Stages;

return await ServiceHost.RunAsync("quantizer", args, builder => builder.AddStageService(services => services.AddQuantizer()));
