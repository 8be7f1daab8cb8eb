using System.Globalization;
using CsCheck;
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
    public void Parse_RandomArithmetic_AgreesWithDirectEvaluation() =>
        Gen.Select(Sum, Gen.Int[-1, 1]).Sample((sum, offset) =>
        {
            var bound = sum.Value + offset;

            Condition.Parse($"{sum.Text} <= {Write(bound)}").IsMet(Metrics.GetValueOrDefault).ShouldBe(sum.Value <= bound, sum.Text);
        }, iter: 1000);

    [Fact]
    public void Parse_RandomText_EitherParsesOrNamesAColumn()
    {
        string[] words = ["base.loss", "1", "(", ")", "<", ">=", "and", "or", "not", "+", "-", "*", ",", "min", "abs", "true", "=", "$"];
        Gen.OneOf<string>(words).Array[1, 8].Select(text => string.Join(' ', text)).Sample(text =>
        {
            try
            {
                Condition.Parse(text).Text.ShouldBe(text);
            }
            catch (ExpressionException problem)
            {
                problem.Column.ShouldBeInRange(1, text.Length + 1, text);
            }
        }, iter: 5000);
    }

    /// <summary>Sums of products over small integers: exact in floating point, whatever the order. Three levels keep the text below its limit.</summary>
    private static readonly Gen<(string Text, double Value)> Sum = Gen.Recursive<(string Text, double Value)>((depth, sum) =>
    {
        var number = Gen.Frequency<(string Text, double Value)>((1, Gen.Const(("base.loss", 3.0))), (5, Gen.Int[-4, 4].Select(n => ($"{n}", (double)n))));
        var value = depth >= 2 ? number : Gen.Frequency<(string Text, double Value)>((1, number), (1, sum.Select(s => ($"({s.Text})", s.Value))));
        var product = Gen.Frequency<(string Text, double Value)>(
            (1, value), (1, Gen.Select(value, value, (a, b) => ($"{a.Text} * {b.Text}", a.Value * b.Value))));
        return Gen.Frequency<(string Text, double Value)>(
            (1, product),
            (1, Gen.Select(product, product, (a, b) => ($"{a.Text} + {b.Text}", a.Value + b.Value))),
            (1, Gen.Select(product, product, (a, b) => ($"{a.Text} - {b.Text}", a.Value - b.Value))));
    });

    private static string Write(double value) => value.ToString(CultureInfo.InvariantCulture);
}
