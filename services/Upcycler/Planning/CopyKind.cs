namespace Espalier.Upcycler.Planning;

/// <summary>How the copies of one source differ from it and from each other, whatever the numbers are.</summary>
public enum CopyKind
{
    /// <summary>All are equal to the source.</summary>
    Equal,

    /// <summary>All copies of one source are equal to each other, and differ from it.</summary>
    Alike,

    /// <summary>Each differs from every other.</summary>
    Distinct,
}
