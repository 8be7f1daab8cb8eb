using static TorchSharp.torch.optim;

namespace TorchSharp.Modules;

/// <summary>Options that every optimizer has; null takes the value of the optimizer.</summary>
public class OptimizerOptions
{
    /// <summary>Size of a step.</summary>
    public double? LearningRate { get; set; }

    /// <summary>The learning rate at the start.</summary>
    public double InitialLearningRate { get; set; }
}

/// <summary>Parameters that share options.</summary>
public class ParamGroup : ILearningRateController
{
    /// <summary>The parameters.</summary>
    public IEnumerable<Parameter> Parameters { get; set; } = [];

    /// <summary>Their options.</summary>
    public OptimizerOptions Options { get; set; } = null!;

    /// <summary>Size of a step.</summary>
    public double LearningRate
    {
        get => Options.LearningRate!.Value;
        set => Options.LearningRate = value;
    }

    /// <summary>The learning rate at the start.</summary>
    public double InitialLearningRate
    {
        get => Options.InitialLearningRate;
        set => Options.InitialLearningRate = value;
    }
}

/// <summary>Parameters that share options of one kind of optimizer.</summary>
public class ParamGroup<TOptions> : ParamGroup where TOptions : OptimizerOptions
{
    /// <summary>An empty group.</summary>
    public ParamGroup()
    {
    }

    /// <summary>A group; without options it takes those of the optimizer.</summary>
    public ParamGroup(IEnumerable<Parameter> parameters, TOptions? options = null)
    {
        Parameters = parameters;
        base.Options = options!;
    }

    /// <summary>Their options.</summary>
    public new TOptions Options
    {
        get => (TOptions)base.Options;
        set => base.Options = value;
    }
}

/// <summary>What an optimizer remembers about one parameter.</summary>
public abstract class OptimizerState
{
    /// <summary>The parameter.</summary>
    protected Parameter _parameter;

    private protected OptimizerState(Parameter parameter) => _parameter = parameter;

    /// <summary>Sets the state to that of an optimizer that made no step.</summary>
    public abstract void Initialize(OptimizerOptions options);

    /// <summary>Moves the state to a device.</summary>
    public virtual void to(torch.Device device)
    {
    }
}

/// <summary>What optimizers written in C# have in common.</summary>
public abstract class OptimizerHelper : Optimizer
{
    private protected readonly List<OptimizerState> States = [];

    /// <summary>The options and states of all parameters, in order; changing a state changes the optimizer.</summary>
    public virtual StateDictionary state_dict()
    {
        var result = new StateDictionary();
        int next = 0;
        foreach (ParamGroup group in _parameter_groups)
        {
            result.Options.Add(group.Options);
            int count = group.Parameters.Count();
            result.StateIndexRef.Add([.. Enumerable.Range(next, count)]);
            next += count;
        }
        result.State.AddRange(States);
        return result;
    }

    /// <summary>Moves the state to a device.</summary>
    public void to(torch.Device device)
    {
        foreach (OptimizerState state in States)
            state.to(device);
    }
}
