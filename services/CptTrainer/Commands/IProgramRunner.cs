namespace Espalier.CptTrainer.Commands;

/// <summary>A program to run.</summary>
/// <param name="Options">What the pipeline says of it.</param>
/// <param name="Folder">Where it runs, with its inputs.</param>
internal sealed record ProgramRun(CommandOptions Options, CommandFolder Folder);

/// <summary>How a program ended.</summary>
/// <param name="Code">Its exit code; 128 and the number of the signal that ended it.</param>
/// <param name="IsOutOfMemory">Somebody knows that memory ran out.</param>
/// <param name="Place">Which part of it failed, such as one node of several; null where there is one only.</param>
internal sealed record ProgramEnd(int Code, bool IsOutOfMemory = false, string? Place = null);

/// <summary>Runs programs: as a process group of this machine, or as a Job of a cluster.</summary>
internal interface IProgramRunner
{
    /// <summary>The folder below which programs of this runner find their own folders.</summary>
    string Root { get; }

    /// <summary>Makes sure that nothing of an earlier attempt at a step runs any more, so that its folder can be made anew.</summary>
    /// <param name="stepKey">The step, in hexadecimal digits.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    Task EndEarlierAsync(string stepKey, CancellationToken cancellationToken);

    /// <summary>Runs a program to its end.</summary>
    /// <exception cref="OperationCanceledException">It was asked to end, and has ended.</exception>
    /// <exception cref="UserInputException">It cannot be run as it was asked for.</exception>
    /// <exception cref="StageFailedException">It could not be run, or was lost.</exception>
    Task<ProgramEnd> RunAsync(ProgramRun run, ProgramReports reports, CancellationToken cancellationToken);
}
