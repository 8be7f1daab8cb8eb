using System.CommandLine;
using Espalier.Bench;
using Espalier.Cli;
using Espalier.Cli.Terminals;
using Espalier.Modeling.Runtime;

TorchRuntime.Prepare(); // before the first tensor
using var interrupts = new Interrupts();
var terminal = Terminal.OfThisProcess();
var root = new RootCommand("Speed of Espalier on this machine, beside the same model in plain PyTorch.") { BenchCommand.Create(terminal) };
return await CommandLine.RunAsync(root, args, terminal, interrupts.Token).ConfigureAwait(false);
