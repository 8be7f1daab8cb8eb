namespace Espalier.Hosting.Authentication;

/// <summary>What a key may do; each role may do what the ones before it may.</summary>
public enum ApiRole
{
    /// <summary>Read.</summary>
    Viewer,

    /// <summary>Start, cancel and resume runs.</summary>
    Submitter,

    /// <summary>Move aliases.</summary>
    Promoter,

    /// <summary>Everything.</summary>
    Admin,
}
