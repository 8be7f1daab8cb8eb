namespace Espalier.Stages.Methods;

/// <summary>One algorithm of a stage, found by scanning the stage's own assembly: adding one is adding a file.</summary>
public interface IStageMethod
{
    /// <summary>Name in options, kebab-case.</summary>
    string Name { get; }

    /// <summary>One sentence for <c>--help</c>, with the paper where there is one.</summary>
    string Summary { get; }
}
