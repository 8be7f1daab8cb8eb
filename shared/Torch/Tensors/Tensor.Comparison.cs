namespace TorchSharp;

public static partial class torch
{
    // Comparisons.
    public unsafe partial class Tensor
    {
        /// <summary>True where this is equal to the target.</summary>
        public Tensor eq(Tensor target) => Made(Native.et_eq(Handle, target.Handle), target);

        /// <summary><see cref="eq(Tensor)"/>, in place.</summary>
        public Tensor eq_(Tensor target) => Changed(Native.et_eq_(Handle, target.Handle), target);

        /// <summary>True where this is equal to the target.</summary>
        public Tensor eq(Scalar target) => Made(Native.et_eq_number(Handle, target.Number));

        /// <summary><see cref="eq(Scalar)"/>, in place.</summary>
        public Tensor eq_(Scalar target) => Changed(Native.et_eq_number_(Handle, target.Number));

        /// <summary>True where this is different from the target.</summary>
        public Tensor ne(Tensor target) => Made(Native.et_ne(Handle, target.Handle), target);

        /// <summary><see cref="ne(Tensor)"/>, in place.</summary>
        public Tensor ne_(Tensor target) => Changed(Native.et_ne_(Handle, target.Handle), target);

        /// <summary>True where this is different from the target.</summary>
        public Tensor ne(Scalar target) => Made(Native.et_ne_number(Handle, target.Number));

        /// <summary><see cref="ne(Scalar)"/>, in place.</summary>
        public Tensor ne_(Scalar target) => Changed(Native.et_ne_number_(Handle, target.Number));

        /// <summary><see cref="ne(Tensor)"/>.</summary>
        public Tensor not_equal(Tensor target) => ne(target);

        /// <summary>True where this is less than the target.</summary>
        public Tensor lt(Tensor target) => Made(Native.et_lt(Handle, target.Handle), target);

        /// <summary><see cref="lt(Tensor)"/>, in place.</summary>
        public Tensor lt_(Tensor target) => Changed(Native.et_lt_(Handle, target.Handle), target);

        /// <summary>True where this is less than the target.</summary>
        public Tensor lt(Scalar target) => Made(Native.et_lt_number(Handle, target.Number));

        /// <summary><see cref="lt(Scalar)"/>, in place.</summary>
        public Tensor lt_(Scalar target) => Changed(Native.et_lt_number_(Handle, target.Number));

        /// <summary><see cref="lt(Tensor)"/>.</summary>
        public Tensor less(Tensor target) => lt(target);

        /// <summary>True where this is at most the target.</summary>
        public Tensor le(Tensor target) => Made(Native.et_le(Handle, target.Handle), target);

        /// <summary><see cref="le(Tensor)"/>, in place.</summary>
        public Tensor le_(Tensor target) => Changed(Native.et_le_(Handle, target.Handle), target);

        /// <summary>True where this is at most the target.</summary>
        public Tensor le(Scalar target) => Made(Native.et_le_number(Handle, target.Number));

        /// <summary><see cref="le(Scalar)"/>, in place.</summary>
        public Tensor le_(Scalar target) => Changed(Native.et_le_number_(Handle, target.Number));

        /// <summary><see cref="le(Tensor)"/>.</summary>
        public Tensor less_equal(Tensor target) => le(target);

        /// <summary>True where this is greater than the target.</summary>
        public Tensor gt(Tensor target) => Made(Native.et_gt(Handle, target.Handle), target);

        /// <summary><see cref="gt(Tensor)"/>, in place.</summary>
        public Tensor gt_(Tensor target) => Changed(Native.et_gt_(Handle, target.Handle), target);

        /// <summary>True where this is greater than the target.</summary>
        public Tensor gt(Scalar target) => Made(Native.et_gt_number(Handle, target.Number));

        /// <summary><see cref="gt(Scalar)"/>, in place.</summary>
        public Tensor gt_(Scalar target) => Changed(Native.et_gt_number_(Handle, target.Number));

        /// <summary><see cref="gt(Tensor)"/>.</summary>
        public Tensor greater(Tensor target) => gt(target);

        /// <summary>True where this is at least the target.</summary>
        public Tensor ge(Tensor target) => Made(Native.et_ge(Handle, target.Handle), target);

        /// <summary><see cref="ge(Tensor)"/>, in place.</summary>
        public Tensor ge_(Tensor target) => Changed(Native.et_ge_(Handle, target.Handle), target);

        /// <summary>True where this is at least the target.</summary>
        public Tensor ge(Scalar target) => Made(Native.et_ge_number(Handle, target.Number));

        /// <summary><see cref="ge(Scalar)"/>, in place.</summary>
        public Tensor ge_(Scalar target) => Changed(Native.et_ge_number_(Handle, target.Number));

        /// <summary><see cref="ge(Tensor)"/>.</summary>
        public Tensor greater_equal(Tensor target) => ge(target);

        /// <summary><see cref="eq(Tensor)"/>: element by element. One answer for the whole tensor is <see cref="Equals(Tensor)"/>.</summary>
        public Tensor equal(Tensor target) => eq(target);

        /// <summary>True where the element is not a number.</summary>
        public Tensor isnan() => Made(Native.et_isnan(Handle));

        /// <summary>True where the element is infinite.</summary>
        public Tensor isinf() => Made(Native.et_isinf(Handle));

        /// <summary>True where the element is neither infinite nor NaN.</summary>
        public Tensor isfinite() => Made(Native.et_isfinite(Handle));

        /// <summary>True where the element is plus infinity.</summary>
        public Tensor isposinf() => Made(Native.et_isposinf(Handle));

        /// <summary>True where the element is minus infinity.</summary>
        public Tensor isneginf() => Made(Native.et_isneginf(Handle));

        /// <summary>True where the element has its sign bit set.</summary>
        public Tensor signbit() => Made(Native.et_signbit(Handle));

        /// <summary>True where |this - other| is at most atol + rtol * |other|.</summary>
        public Tensor isclose(Tensor other, double rtol = 1e-05, double atol = 1e-08, bool nanEqual = false) =>
            Made(Native.et_isclose(Handle, other.Handle, rtol, atol, nanEqual), other);

        /// <summary>True where the element is one of the test elements.</summary>
        public Tensor isin(Tensor test_elements, bool assumeUnique = false, bool invert = false) =>
            Made(Native.et_isin(Handle, test_elements.Handle, assumeUnique, invert), test_elements);

        /// <summary>Whether all elements are close, as <see cref="isclose"/> says.</summary>
        public bool allclose(Tensor target, double rtol = 1e-05, double atol = 1e-08, bool equal_nan = false)
        {
            bool result;
            Changed(Native.et_allclose(Handle, target.Handle, rtol, atol, equal_nan, &result), target);
            return result;
        }

        /// <summary>Whether both have the same shape and the same elements.</summary>
        public bool Equals(Tensor target)
        {
            if (target is null)
                return false;
            bool result;
            Changed(Native.et_same_values(Handle, target.Handle, &result), target);
            return result;
        }

        /// <summary>Whether the other object is a tensor of the same shape and elements.</summary>
        public override bool Equals(object? obj) => obj is Tensor other && Equals(other);

        /// <summary>Differs from object to object, also for equal elements.</summary>
        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
    }
}
