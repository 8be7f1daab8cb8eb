using Espalier.Cli;
using Espalier.Cli.Terminals;

using var interrupts = new Interrupts();
return await CommandLine.RunAsync(args, Terminal.OfThisProcess(), interrupts.Token).ConfigureAwait(false);
