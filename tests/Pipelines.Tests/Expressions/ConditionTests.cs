using System.Globalization;
using Espalier.Contracts;
using Espalier.Pipelines.Expressions;

namespace Espalier.Pipelines.Tests.Expressions;

public sealed class ConditionTests
{
    private static readonly Dictionary<string, IReadOnlyDictionary<string, double>> Metrics = new()
    {
        ["scores"] = new Dictionary<string, double> { ["int4.loss"] = 2.02, ["cpt.loss"] = 2, ["cpt.bits-per-byte"] = 0.9, ["bad"] = double.NaN },
        ["base"] = new Dictionary<string, double> { ["loss"] = 3 },
    };

    [Theory]
    [InlineData("scores.int4.loss <= scores.cpt.loss * 1.02", true)]
    [InlineData("scores.int4.loss <= scores.cpt.loss * 1.001", false)]
    [InlineData("scores.cpt.bits-per-byte < 1 and base.loss == 3", true)]
    [InlineData("not base.loss > 2 or base.loss - 1 == 2", true)]
    [InlineData("not (base.loss > 2 or base.loss == 3)", false)]
    [InlineData("base.loss -1 < 2.5", true)]
    [InlineData("1 + 2 * 3 == 7 and (1 + 2) * 3 == 9 and 8 / 4 / 2 == 1 and 5 - 3 - 1 == 1", true)]
    [InlineData("--2 == 2 and -base.loss < 0 and 2e-1 == .2", true)]
    [InlineData("min(base.loss, 1, 2) == 1 and max(base.loss, 1) == 3 and abs(1 - base.loss) == 2", true)]
    [InlineData("false or true", true)]
    [InlineData("1 == 1 or base.nothing > 0", true)]
    public void IsMet_OverMetrics_FollowsPrecedence(string text, bool expected) =>
        Condition.Parse(text).IsMet(Metrics.GetValueOrDefault).ShouldBe(expected);

    [Theory]
    [InlineData("", 1, "expected a number, a metric such as scores.int4.loss, or '('; found the end")]
    [InlineData("base.loss", 1, "a condition compares something")]
    [InlineData("base.loss = 3", 11, "'=' compares with '=='")]
    [InlineData("base.loss > 3 && true", 15, "write 'and' instead of '&'")]
    [InlineData("1 < 2 < 3", 7, "comparisons do not chain")]
    [InlineData("1 < 2 + (3 > 2)", 10, "'+' takes numbers, and this is a comparison")]
    [InlineData("1 and 2 > 1", 1, "'and' joins comparisons, and this is a number")]
    [InlineData("loss > 1", 1, "'loss' is not a metric")]
    [InlineData("mim(1, 2) > 1", 1, "unknown function 'mim': did you mean 'min'?")]
    [InlineData("abs(1, 2) > 1", 1, "'abs' takes one value, not 2")]
    [InlineData("(1 < 2", 7, "expected ')'; found the end")]
    [InlineData("1 < 2 3", 7, "expected 'and', 'or', an operator or the end; found '3'")]
    [InlineData("1..2 < 2", 1, "'1..2' is not a number")]
    [InlineData("${base.loss} < 2", 1, "metrics are written without ${}")]
    public void Parse_BadText_NamesColumn(string text, int column, string expected)
    {
        var problem = Should.Throw<ExpressionException>(() => Condition.Parse(text));

        problem.Message.ShouldContain(expected);
        problem.Column.ShouldBe(column);
    }

    [Theory]
    [InlineData("scores.int4.los < 1", "step 'scores' has no metric 'int4.los': did you mean 'int4.loss'?")]
    [InlineData("other.loss < 1", "step 'other' has reported no metrics")]
    [InlineData("scores.bad < 1", "'scores.bad' is NaN")]
    [InlineData("1 / (base.loss - 3) > 1", "divides by zero")]
    public void IsMet_MetricUnfit_SaysSo(string text, string expected) =>
        Should.Throw<UserInputException>(() => Condition.Parse(text).IsMet(Metrics.GetValueOrDefault)).Message.ShouldContain(expected);

    [Fact]
    public void Parse_DeepNesting_IsBounded()
    {
        Should.Throw<ExpressionException>(() => Condition.Parse(new string('(', 400) + "1")).Message.ShouldContain("nests deeper");
        Should.Throw<ExpressionException>(() => Condition.Parse(new string('-', 400) + "1 > 0")).Message.ShouldContain("nests deeper");
        Should.Throw<ExpressionException>(() => Condition.Parse(new string('1', 2000))).Message.ShouldContain("at most 1000");
    }

    [Fact]
    public void Parse_RandomArithmetic_AgreesWithDirectEvaluation()
    {
        var random = new Random(7);
        for (var i = 0; i < 500; i++)
        {
            var (text, value) = Sum(random, 3);
            var bound = value + (random.Next(3) - 1);

            Condition.Parse($"{text} <= {Write(bound)}").IsMet(Metrics.GetValueOrDefault).ShouldBe(value <= bound, text);
        }
    }

    [Fact]
    public void Parse_RandomText_EitherParsesOrNamesAColumn()
    {
        string[] words = ["base.loss", "1", "(", ")", "<", ">=", "and", "or", "not", "+", "-", "*", ",", "min", "abs", "true", "=", "$"];
        var random = new Random(11);
        for (var i = 0; i < 3000; i++)
        {
            var text = string.Join(' ', Enumerable.Range(0, random.Next(1, 9)).Select(_ => words[random.Next(words.Length)]));
            try
            {
                Condition.Parse(text).Text.ShouldBe(text);
            }
            catch (ExpressionException problem)
            {
                problem.Column.ShouldBeInRange(1, text.Length + 1, text);
            }
        }
    }

    /// <summary>Sums of products over small integers: exact in floating point, whatever the order.</summary>
    private static (string Text, double Value) Sum(Random random, int depth)
    {
        var (left, a) = Product(random, depth);
        if (random.Next(3) == 0)
            return (left, a);
        var (right, b) = Product(random, depth);
        return random.Next(2) == 0 ? ($"{left} + {right}", a + b) : ($"{left} - {right}", a - b);
    }

    private static (string Text, double Value) Product(Random random, int depth)
    {
        var (left, a) = Value(random, depth);
        var (right, b) = Value(random, depth);
        return random.Next(2) == 0 ? (left, a) : ($"{left} * {right}", a * b);
    }

    private static (string Text, double Value) Value(Random random, int depth)
    {
        if (depth == 0 || random.Next(2) == 0)
            return random.Next(6) == 0 ? ("base.loss", 3) : random.Next(5) is var n && random.Next(4) == 0 ? ($"-{n}", -n) : ($"{n}", n);
        var (inner, value) = Sum(random, depth - 1);
        return ($"({inner})", value);
    }

    private static string Write(double value) => value.ToString(CultureInfo.InvariantCulture);
}
