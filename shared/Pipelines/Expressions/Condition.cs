using Espalier.Contracts;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Expressions;

/// <summary>
/// A <c>when:</c> condition over metrics of earlier steps: <c>scores.int4.loss &lt;= scores.cpt.loss * 1.02 and not base.loss &gt; 4</c>.
/// Numbers, <c>+ - * /</c>, comparisons, <c>and or not</c>, <c>min max abs</c>; the first part of a path is the step, the rest its metric.
/// </summary>
public sealed class Condition
{
    private readonly Node _root;

    private Condition(string text, Node root)
    {
        Text = text;
        _root = root;
        Metrics = [.. MetricsOf(root).DistinctBy(m => m.Path)];
    }

    /// <summary>As written.</summary>
    public string Text { get; }

    /// <summary>The metrics it reads, each once.</summary>
    public IReadOnlyList<MetricPath> Metrics { get; }

    /// <summary>Reads a condition.</summary>
    /// <exception cref="ExpressionException">It cannot be read; with the column.</exception>
    public static Condition Parse(string text) => new(text, ExpressionParser.Parse(text));

    /// <summary>Whether the condition holds.</summary>
    /// <param name="metricsOf">The metrics of a step by name, or null when the step has none.</param>
    /// <exception cref="UserInputException">A metric does not exist or is not a number.</exception>
    public bool IsMet(Func<string, IReadOnlyDictionary<string, double>?> metricsOf) => Evaluate(_root, metricsOf) != 0;

    /// <inheritdoc/>
    public override string ToString() => Text;

    private double Evaluate(Node node, Func<string, IReadOnlyDictionary<string, double>?> metricsOf)
    {
        if (node is Constant constant)
            return constant.Value;
        if (node is Metric metric)
            return Read(new MetricPath(metric.Path, metric.Column), metricsOf);
        var (name, operands, _) = (Operation)node;
        double Value(int i) => Evaluate(operands[i], metricsOf);
        return name switch
        {
            "and" => Truth(Value(0) != 0 && Value(1) != 0),
            "or" => Truth(Value(0) != 0 || Value(1) != 0),
            "not" => Truth(Value(0) == 0),
            "<" => Truth(Value(0) < Value(1)),
            "<=" => Truth(Value(0) <= Value(1)),
            ">" => Truth(Value(0) > Value(1)),
            ">=" => Truth(Value(0) >= Value(1)),
            "==" => Truth(Value(0).Equals(Value(1))),
            "!=" => Truth(!Value(0).Equals(Value(1))),
            "+" => Value(0) + Value(1),
            "-" => Value(0) - Value(1),
            "*" => Value(0) * Value(1),
            "/" => Divide(Value(0), Value(1)),
            "negate" => -Value(0),
            "min" => operands.Min(o => Evaluate(o, metricsOf)),
            "max" => operands.Max(o => Evaluate(o, metricsOf)),
            _ => Math.Abs(Value(0)),
        };
    }

    private double Read(MetricPath path, Func<string, IReadOnlyDictionary<string, double>?> metricsOf)
    {
        var metrics = metricsOf(path.Step) ?? throw new UserInputException($"when: {Text}: step '{path.Step}' has reported no metrics.");
        if (!metrics.TryGetValue(path.Name, out var value))
            throw new UserInputException($"when: {Text}: step '{path.Step}' has no metric '{path.Name}': {NearestWord.Hint(path.Name, [.. metrics.Keys])}.");
        return double.IsFinite(value) ? value : throw new UserInputException($"when: {Text}: '{path.Path}' is {value}, which is not finite.");
    }

    private double Divide(double a, double b) =>
        b != 0 ? a / b : throw new UserInputException($"when: {Text}: divides by zero.");

    private static double Truth(bool value) => value ? 1 : 0;

    private static IEnumerable<MetricPath> MetricsOf(Node node) => node switch
    {
        Metric metric => [new MetricPath(metric.Path, metric.Column)],
        Operation operation => operation.Operands.SelectMany(MetricsOf),
        _ => [],
    };
}

/// <summary>A metric that a condition reads.</summary>
/// <param name="Path">Step and metric: <c>scores.int4.loss</c>.</param>
/// <param name="Column">Column from 1 within the condition.</param>
public readonly record struct MetricPath(string Path, int Column)
{
    /// <summary>The step that reports it.</summary>
    public string Step => Path[..Path.IndexOf('.', StringComparison.Ordinal)];

    /// <summary>Its name within the step.</summary>
    public string Name => Path[(Path.IndexOf('.', StringComparison.Ordinal) + 1)..];
}
