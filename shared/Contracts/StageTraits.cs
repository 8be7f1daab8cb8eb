using System.Globalization;

namespace Espalier.Contracts;

/// <summary>What a stage says of itself, so that nobody who plans has to know its kind.</summary>
public sealed record StageTraits
{
    /// <summary>One or two sentences for the reference: what it does.</summary>
    public string Summary { get; init; } = "";

    /// <summary>What its steps make (<see cref="OutputNames"/>), the main output first; empty when later steps read nothing of it.</summary>
    /// <value>model, report</value>
    public IReadOnlyList<string> Outputs { get; init; } = [OutputNames.Model, OutputNames.Report];

    /// <summary>Outputs that are made only where an option is set, each with that option.</summary>
    /// <value>none</value>
    public IReadOnlyDictionary<string, string> OutputOptions { get; init; } = new Dictionary<string, string>();

    /// <summary>Whether the names of the steps that made its inputs show in the result, and so belong to the key.</summary>
    /// <value>false</value>
    public bool InputNamesMatter { get; init; }

    /// <summary>
    /// Options that name the user's own files by path, each with the option that holds the digest of their content. Where there
    /// is such a digest, the name of the file or folder is in the key, and the folder that it lies in is not.
    /// </summary>
    /// <value>none</value>
    public IReadOnlyDictionary<string, string> Fingerprints { get; init; } = new Dictionary<string, string>();

    /// <summary>The metrics that its steps may report; empty where that is not known. Conditions are checked against it.</summary>
    /// <value>none</value>
    public IReadOnlyList<StageMetric> Metrics { get; init; } = [];

    /// <summary>The corpora that <c>corpus:NAME</c> may name where its steps make datasets; empty where that is not known.</summary>
    /// <value>none</value>
    public IReadOnlyList<string> Corpora { get; init; } = [];

    /// <summary>Whether the last bits of the result depend on the machine's arithmetic: tensor library, device, kernels, threads.</summary>
    /// <value>true</value>
    public bool DependsOnNumerics { get; init; } = true;

    /// <summary>
    /// Whether it changes something outside the store: registers a model, moves an alias, tells somebody. An effect is made sure in
    /// every run, idempotently; only its inputs come from the cache.
    /// </summary>
    /// <value>false</value>
    public bool IsEffect { get; init; }

    /// <summary>Whether it runs programs that the pipeline names: only workers whose settings allow that offer it.</summary>
    /// <value>false</value>
    public bool RunsPrograms { get; init; }

    /// <summary>How its steps run as Jobs of a Kubernetes cluster (<see cref="DeviceNames.Kubernetes"/>); null where they cannot.</summary>
    /// <value>null</value>
    public StageClusters? Clusters { get; init; }

    /// <summary>How several steps do the work of one together; null where each does its own.</summary>
    /// <value>null</value>
    public StageTeam? Team { get; init; }

    /// <summary>Whether the workers that offer it answer <see cref="EstimateStep"/>; the worker sets it.</summary>
    /// <value>false</value>
    public bool IsEstimated { get; init; }
}

/// <summary>The options of a stage whose steps may run as Jobs of a Kubernetes cluster.</summary>
/// <param name="Required">What a step on <c>device: kubernetes</c> must say.</param>
/// <param name="Only">What means nothing anywhere else, <paramref name="Required"/> among them.</param>
public sealed record StageClusters(string Required, IReadOnlyList<string> Only);

/// <summary>The options of a stage whose steps may share their work: planning adds a step for every worker but the first, which is the step itself.</summary>
/// <param name="Workers">The option that says how many there are.</param>
/// <param name="Member">The option of an added step that says which it is, from 2 on.</param>
public sealed record StageTeam(string Workers, string Member);

/// <summary>A metric that steps of a stage report.</summary>
/// <param name="Name">
/// Its name; <see cref="Model"/> in it stands for the step of any model among the inputs, <see cref="Domain"/> at its end for a domain of the
/// data, which is known only when that is read.
/// </param>
public sealed record StageMetric(string Name)
{
    /// <summary>Stands for the name of a step that made a model.</summary>
    public const string Model = "{model}";

    /// <summary>Stands for the name of a domain.</summary>
    public const string Domain = "{domain}";

    /// <summary>
    /// Options on which it depends: each must have one of the words, which a bar separates, or hold one in a list; without words, it must be
    /// set at all.
    /// </summary>
    /// <value>none: it is always reported</value>
    public IReadOnlyDictionary<string, string> When { get; init; } = new Dictionary<string, string>();

    /// <summary>Several metrics that depend on the same options.</summary>
    public static IEnumerable<StageMetric> Named(IEnumerable<string> names, params (string Option, string[] Values)[] when) =>
        names.Select(name => new StageMetric(name) { When = when.ToDictionary(w => w.Option, w => string.Join('|', w.Values)) });

    /// <summary>The words that an option of <see cref="When"/> may have; empty for any.</summary>
    public static IReadOnlyList<string> WordsOf(string when) => when.Split('|', StringSplitOptions.RemoveEmptyEntries);
}

/// <summary>Names of numerics classes.</summary>
public static class NumericsClasses
{
    /// <summary>The class of stages whose result is the same on every machine (<see cref="StageTraits.DependsOnNumerics"/>).</summary>
    public const string Any = "any";

    private const string Threads = ";threads=";

    /// <summary>The number of threads that a class ends with, such as 4 in <c>...;threads=4</c>; null when it does not say.</summary>
    public static int? ThreadsOf(string numericsClass) =>
        numericsClass.LastIndexOf(Threads, StringComparison.Ordinal) is var at and >= 0
        && int.TryParse(numericsClass.AsSpan(at + Threads.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var threads) && threads > 0
            ? threads : null;

    /// <summary>
    /// Whether two classes differ in nothing but the number of threads. Threads are a choice and not a property of the machine, so a worker of
    /// one class can compute as a worker of the other does.
    /// </summary>
    public static bool DifferInThreadsOnly(string left, string right) =>
        left != right && ThreadsOf(left) is not null && ThreadsOf(right) is not null && WithoutThreads(left) == WithoutThreads(right);

    private static string WithoutThreads(string numericsClass) => numericsClass[..numericsClass.LastIndexOf(Threads, StringComparison.Ordinal)];
}
