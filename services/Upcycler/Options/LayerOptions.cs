using Espalier.Pipelines.Options;

namespace Espalier.Upcycler;

/// <summary>Settings of some layers; what is left out is as in the stage's options.</summary>
public sealed record LayerOptions
{
    /// <summary>Layers that these settings are for, from 0.</summary>
    [Option("Layers, from 0.", Min = 0, Max = 1023, Required = true)]
    public IReadOnlyList<int> Layers { get; init; } = [];

    /// <summary>How sources are chosen.</summary>
    [Option("How sources are chosen.", ChoicesOf = typeof(Methods.IExpertSelection))]
    public string? Method { get; init; }

    /// <summary>Experts from each source, itself included.</summary>
    [Option("Experts from each source, itself included.", Min = 1, Max = 1024)]
    public IReadOnlyList<int>? Counts { get; init; }

    /// <summary>How the scores of fc1 and fc2 become one.</summary>
    [Option("How the scores of fc1 and fc2 become one.")]
    public ScoreCombination? Combine { get; init; }

    /// <summary>How slots are given to experts by score.</summary>
    [Option("How slots are given to experts by score.", ChoicesOf = typeof(ExpertSelection.ISlotSelection))]
    public string? Selection { get; init; }

    /// <summary>New slots that one expert may take before every other had its turn.</summary>
    [Option("New copies one expert may get before all experts reached that number.", Min = 1, Max = 1024)]
    public int? MaxCopies { get; init; }

    /// <summary>How a new expert is made from its source.</summary>
    [Option("How a new expert is made from its source.")]
    public DuplicationOptions? Duplication { get; init; }

    /// <summary>How the router gets its new rows.</summary>
    [Option("How the router gets its new rows.")]
    public RouterOptions? Router { get; init; }

    /// <summary>The stage's options with these in their place.</summary>
    public UpcycleOptions Over(UpcycleOptions options) => options with
    {
        Method = Method ?? options.Method,
        Counts = Counts ?? (Method is null ? options.Counts : null),
        Combine = Combine ?? options.Combine,
        Selection = Selection ?? options.Selection,
        MaxCopies = MaxCopies ?? options.MaxCopies,
        Duplication = Duplication ?? options.Duplication,
        Router = Router ?? options.Router,
    };
}
