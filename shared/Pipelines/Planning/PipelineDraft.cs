using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Planning;

/// <summary>A pipeline file that has been read: its options are checked, its edges are not drawn yet.</summary>
public sealed class PipelineDraft
{
    private const int LongestFileName = 4096;
    private readonly PipelineFile _file;
    private readonly List<StepDraft> _steps;
    private readonly PlanningContext _context;
    private readonly ProblemList _problems;
    private readonly string _baseDirectory;

    private PipelineDraft(PipelineFile file, List<StepDraft> steps, PlanningContext context, ProblemList problems, string baseDirectory) =>
        (_file, _steps, _context, _problems, _baseDirectory) = (file, steps, context, problems, baseDirectory);

    /// <summary>
    /// Registered models and datasets that options name (<c>model:NAME@ALIAS</c>, <c>dataset:NAME@VERSION</c>), each once: they are looked up
    /// before <see cref="ToPlan"/>.
    /// </summary>
    public IReadOnlyList<string> References =>
        [.. _steps.SelectMany(s => s.Options.Artifacts.SelectMany(RegistryNames.In).Concat(OwnSources.RegisteredIn(s))).Distinct()];

    /// <summary>The user's own files that options name, as they name them.</summary>
    public IReadOnlyList<DataSource> OwnFiles =>
    [
        .. _steps.SelectMany(s => s.Options.Artifacts.Where(o => o.Kind == ValueKind.Dataset)
            .SelectMany(o => o.Sources is { } sources ? sources.Select(p => p.Source) : [new DataSource { From = o.Text }])
            .Where(source => source.IsOwn).Concat(OwnSources.FilesIn(s))).Distinct(),
    ];

    /// <summary>What options name of the user's files that were uploaded, each once: it is looked up before <see cref="ToPlan"/>.</summary>
    public IReadOnlyList<UploadReference> Uploads =>
    [
        .. OwnFiles.Select(s => s.From[(s.From.IndexOf(':', StringComparison.Ordinal) + 1)..])
            .Select(path => UploadReference.TryParse(path, out var reference) ? reference : null).OfType<UploadReference>().Distinct(),
    ];

    /// <summary>Folder that relative paths start from.</summary>
    public string BaseDirectory => _baseDirectory;

    /// <summary>Reads a file; its problems are kept for <see cref="ToPlan"/>.</summary>
    /// <inheritdoc cref="PipelinePlanner.Plan"/>
    public static PipelineDraft Read(string yaml, string fileName, IReadOnlyDictionary<string, string> parameters, PlanningContext context)
    {
        Refuse("The file name", fileName, LongestFileName);
        foreach (var (name, value) in parameters)
        {
            Refuse("A parameter's name", name, LongestFileName);
            Refuse($"--param {name}", value, YamlSource.MaxLength);
        }
        var problems = new ProblemList(fileName);
        var file = PipelineFileReader.Read(YamlSource.Parse(yaml, fileName), parameters, context.Triggers, problems);
        var steps = new StepReader(file, context, problems).ReadAll();
        return new PipelineDraft(file, steps, context, problems, context.BaseDirectory ?? Path.GetDirectoryName(Path.GetFullPath(fileName)) ?? ".");
    }

    /// <summary>Draws the edges and makes the plan; to be called once.</summary>
    /// <param name="find">What the registry has behind a reference; null when it cannot be asked here.</param>
    /// <exception cref="UserInputException">With every problem of the file, each with line and column.</exception>
    public PipelinePlan ToPlan(Func<string, ModelFound>? find)
    {
        var names = new RegistryNames(find);
        var datasets = new DatasetSteps(_context, names, _baseDirectory, [.. _steps.Select(s => s.Name), .. _file.Stages.Select(s => s.Name)], _problems);
        var own = new OwnSources(_context, names, _baseDirectory, _problems);
        foreach (var step in _steps)
        {
            own.Locate(step);
            ClusterRules.Check(step, _problems);
        }
        new StepLinker(_steps, datasets, names, _problems).LinkAll();
        var ordered = StepOrder.Sort([.. _steps, .. datasets.Steps], _problems);
        var byName = ordered.ToDictionary(s => s.Name);
        foreach (var step in ordered)
            InheritDatasets(step, byName);
        _problems.ThrowIfAny();
        var team = new TeamSteps([.. ordered.Select(s => s.Name)]);
        return new PipelinePlan
        {
            Name = _file.Name,
            Description = _file.Description,
            Steps = [.. ordered.SelectMany(s => team.With(s.ToStep(), s.Stage?.Traits.Team))],
            Triggers = _file.Triggers,
            Notices = _file.Notices,
            Parameters = _file.Parameters.ToDictionary(p => p.Key, p => p.Value.Text),
        };
    }

    /// <summary>Texts that reach databases and paths: without what these cannot hold.</summary>
    private static void Refuse(string what, string text, int longest)
    {
        if (text.Length > longest)
            throw new UserInputException($"{what} has {text.Length} characters; at most {longest} are read.");
        if (HostileText.Find(text) is { } found)
            throw new UserInputException($"{what} holds {found}.");
    }

    /// <summary>Fills in dataset options that were left out: the dataset called <c>data</c> of the nearest step upstream.</summary>
    private void InheritDatasets(StepDraft step, Dictionary<string, StepDraft> byName)
    {
        foreach (var option in step.Options.Inherited)
        {
            if (FindUpstream(step, byName) is { } data)
                step.AddInput(option, data.Step, data.Output, data.Artifact);
            else if (option.IsRequired)
                _problems.Add(
                    option.Line, option.Column,
                    $"'{option.Path}' is missing, and no step upstream of '{step.Name}' has a dataset: give {ArtifactForms.SourceForms}");
            else
                option.Value.Parent!.AsObject().Remove(option.Path[(option.Path.LastIndexOf('.') + 1)..]);
        }
    }

    private static PlannedInput? FindUpstream(StepDraft step, Dictionary<string, StepDraft> byName)
    {
        var seen = new HashSet<string>();
        var queue = new Queue<StepDraft>([step]);
        while (queue.TryDequeue(out var next))
        {
            if (next.Inputs.FirstOrDefault(i => i.As == OutputNames.Data) is { } data)
                return data;
            foreach (var need in next.Needs.Where(n => seen.Add(n) && byName.ContainsKey(n)))
                queue.Enqueue(byName[need]);
        }
        return null;
    }
}
