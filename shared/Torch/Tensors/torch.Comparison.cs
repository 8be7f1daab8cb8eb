namespace TorchSharp;

// The methods of Tensor.Comparison.cs as functions.
public static partial class torch
{
    /// <summary>Whether all elements are close, as <see cref="Tensor.isclose"/> says.</summary>
    public static bool allclose(Tensor tensor, Tensor target, double rtol = 1E-05, double atol = 1E-08, bool equal_nan = false) =>
        tensor.allclose(target, rtol, atol, equal_nan);

    /// <summary>True where this is equal to the target.</summary>
    public static Tensor eq(Tensor left, Tensor right) => left.eq(right);

    /// <summary><see cref="Tensor.eq(Tensor)"/>: element by element. One answer for the whole tensor is <see cref="Tensor.Equals(Tensor)"/>.</summary>
    public static Tensor equal(Tensor tensor, Tensor target) => tensor.equal(target);

    /// <summary>True where this is at least the target.</summary>
    public static Tensor ge(Tensor left, Tensor right) => left.ge(right);

    /// <summary><see cref="Tensor.gt(Tensor)"/>.</summary>
    public static Tensor greater(Tensor tensor, Tensor target) => tensor.greater(target);

    /// <summary><see cref="Tensor.ge(Tensor)"/>.</summary>
    public static Tensor greater_equal(Tensor tensor, Tensor target) => tensor.greater_equal(target);

    /// <summary>True where this is greater than the target.</summary>
    public static Tensor gt(Tensor left, Tensor right) => left.gt(right);

    /// <summary>True where |this - other| is at most atol + rtol * |other|.</summary>
    public static Tensor isclose(Tensor tensor, Tensor other, double rtol = 1E-05, double atol = 1E-08, bool nanEqual = false) =>
        tensor.isclose(other, rtol, atol, nanEqual);

    /// <summary>True where the element is neither infinite nor NaN.</summary>
    public static Tensor isfinite(Tensor tensor) => tensor.isfinite();

    /// <summary>True where the element is one of the test elements.</summary>
    public static Tensor isin(Tensor tensor, Tensor test_elements, bool assumeUnique = false, bool invert = false) =>
        tensor.isin(test_elements, assumeUnique, invert);

    /// <summary>True where the element is infinite.</summary>
    public static Tensor isinf(Tensor tensor) => tensor.isinf();

    /// <summary>True where the element is not a number.</summary>
    public static Tensor isnan(Tensor input) => input.isnan();

    /// <summary>True where the element is minus infinity.</summary>
    public static Tensor isneginf(Tensor tensor) => tensor.isneginf();

    /// <summary>True where the element is plus infinity.</summary>
    public static Tensor isposinf(Tensor tensor) => tensor.isposinf();

    /// <summary>True where this is at most the target.</summary>
    public static Tensor le(Tensor left, Tensor right) => left.le(right);

    /// <summary><see cref="Tensor.lt(Tensor)"/>.</summary>
    public static Tensor less(Tensor tensor, Tensor target) => tensor.less(target);

    /// <summary><see cref="Tensor.le(Tensor)"/>.</summary>
    public static Tensor less_equal(Tensor tensor, Tensor target) => tensor.less_equal(target);

    /// <summary>True where this is less than the target.</summary>
    public static Tensor lt(Tensor left, Tensor right) => left.lt(right);

    /// <summary>True where this is different from the target.</summary>
    public static Tensor ne(Tensor left, Tensor right) => left.ne(right);

    /// <summary><see cref="Tensor.ne(Tensor)"/>.</summary>
    public static Tensor not_equal(Tensor tensor, Tensor target) => tensor.not_equal(target);

    /// <summary>True where the element has its sign bit set.</summary>
    public static Tensor signbit(Tensor input) => input.signbit();
}
