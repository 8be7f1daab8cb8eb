namespace TorchSharp;

public static partial class torch
{
    // Functions of two or more elements.
    public unsafe partial class Tensor
    {
        /// <summary>Sum of both.</summary>
        public Tensor add(Tensor target) => Made(Native.et_add(Handle, target.Handle, Number.One), target);

        /// <summary>this + alpha * target.</summary>
        public Tensor add(Tensor target, Scalar alpha) => Made(Native.et_add(Handle, target.Handle, alpha.Number), target);

        /// <summary>Sum with a number.</summary>
        public Tensor add(Scalar scalar) => Made(Native.et_add_number(Handle, scalar.Number, Number.One));

        /// <summary>this + alpha * scalar.</summary>
        public Tensor add(Scalar scalar, Scalar alpha) => Made(Native.et_add_number(Handle, scalar.Number, alpha.Number));

        /// <summary><see cref="add(Tensor)"/>, in place.</summary>
        public Tensor add_(Tensor target) => Changed(Native.et_add_(Handle, target.Handle, Number.One), target);

        /// <summary>this += alpha * target.</summary>
        public Tensor add_(Tensor target, Scalar alpha) =>
            Changed(Native.et_add_(Handle, target.Handle, alpha.Number), target);

        /// <summary><see cref="add(Scalar)"/>, in place.</summary>
        public Tensor add_(Scalar scalar) => Changed(Native.et_add_number_(Handle, scalar.Number, Number.One));

        /// <summary>this += alpha * scalar.</summary>
        public Tensor add_(Scalar scalar, Scalar alpha) =>
            Changed(Native.et_add_number_(Handle, scalar.Number, alpha.Number));

        /// <summary>Difference of both.</summary>
        public Tensor sub(Tensor target) => Made(Native.et_sub(Handle, target.Handle, Number.One), target);

        /// <summary>Difference with a number.</summary>
        public Tensor sub(Scalar target) => Made(Native.et_sub_number(Handle, target.Number, Number.One));

        /// <summary><see cref="sub(Tensor)"/>, in place.</summary>
        public Tensor sub_(Tensor target) => Changed(Native.et_sub_(Handle, target.Handle, Number.One), target);

        /// <summary><see cref="sub(Scalar)"/>, in place.</summary>
        public Tensor sub_(Scalar target) => Changed(Native.et_sub_number_(Handle, target.Number, Number.One));

        /// <summary><see cref="sub(Tensor)"/>.</summary>
        public Tensor subtract(Tensor target) => sub(target);

        /// <summary><see cref="sub_(Tensor)"/>.</summary>
        public Tensor subtract_(Tensor target) => sub_(target);

        /// <summary><see cref="sub(Scalar)"/>.</summary>
        public Tensor subtract(Scalar target) => sub(target);

        /// <summary><see cref="sub_(Scalar)"/>.</summary>
        public Tensor subtract_(Scalar target) => sub_(target);

        /// <summary>Product of both.</summary>
        public Tensor mul(Tensor target) => Made(Native.et_mul(Handle, target.Handle), target);

        /// <summary><see cref="mul(Tensor)"/>, in place.</summary>
        public Tensor mul_(Tensor target) => Changed(Native.et_mul_(Handle, target.Handle), target);

        /// <summary>Product of both.</summary>
        public Tensor mul(Scalar target) => Made(Native.et_mul_number(Handle, target.Number));

        /// <summary><see cref="mul(Scalar)"/>, in place.</summary>
        public Tensor mul_(Scalar target) => Changed(Native.et_mul_number_(Handle, target.Number));

        /// <summary><see cref="mul(Tensor)"/>.</summary>
        public Tensor multiply(Tensor target) => mul(target);

        /// <summary><see cref="mul(Scalar)"/>.</summary>
        public Tensor multiply(Scalar target) => mul(target);

        /// <summary>Quotient, rounded as asked.</summary>
        public Tensor div(Tensor target, RoundingMode rounding_mode = RoundingMode.None) =>
            Made(Native.et_div(Handle, target.Handle, (int)rounding_mode), target);

        /// <summary><see cref="div(Tensor, RoundingMode)"/>, in place.</summary>
        public Tensor div_(Tensor target, RoundingMode rounding_mode = RoundingMode.None) =>
            Changed(Native.et_div_(Handle, target.Handle, (int)rounding_mode), target);

        /// <summary><see cref="div(Tensor, RoundingMode)"/>.</summary>
        public Tensor divide(Tensor target, RoundingMode rounding_mode = RoundingMode.None) => div(target, rounding_mode);

        /// <summary><see cref="div_(Tensor, RoundingMode)"/>.</summary>
        public Tensor divide_(Tensor target, RoundingMode rounding_mode = RoundingMode.None) => div_(target, rounding_mode);

        /// <summary>Quotient without rounding.</summary>
        public Tensor true_divide(Tensor other) => div(other);

        /// <summary><see cref="true_divide(Tensor)"/>, in place.</summary>
        public Tensor true_divide_(Tensor other) => div_(other);

        /// <summary>Quotient, rounded as asked.</summary>
        public Tensor div(Scalar target, RoundingMode rounding_mode = RoundingMode.None) =>
            Made(Native.et_div_number(Handle, target.Number, (int)rounding_mode));

        /// <summary><see cref="div(Scalar, RoundingMode)"/>, in place.</summary>
        public Tensor div_(Scalar target, RoundingMode rounding_mode = RoundingMode.None) =>
            Changed(Native.et_div_number_(Handle, target.Number, (int)rounding_mode));

        /// <summary><see cref="div(Scalar, RoundingMode)"/>.</summary>
        public Tensor divide(Scalar target, RoundingMode rounding_mode = RoundingMode.None) => div(target, rounding_mode);

        /// <summary><see cref="div_(Scalar, RoundingMode)"/>.</summary>
        public Tensor divide_(Scalar target, RoundingMode rounding_mode = RoundingMode.None) => div_(target, rounding_mode);

        /// <summary>Quotient without rounding.</summary>
        public Tensor true_divide(Scalar other) => div(other);

        /// <summary><see cref="true_divide(Scalar)"/>, in place.</summary>
        public Tensor true_divide_(Scalar other) => div_(other);

        /// <summary>Quotient rounded down.</summary>
        public Tensor floor_divide(Tensor other) => Made(Native.et_floor_divide(Handle, other.Handle), other);

        /// <summary><see cref="floor_divide(Tensor)"/>, in place.</summary>
        public Tensor floor_divide_(Tensor other) => Changed(Native.et_floor_divide_(Handle, other.Handle), other);

        /// <summary>Quotient rounded down.</summary>
        public Tensor floor_divide(Scalar other) => Made(Native.et_floor_divide_number(Handle, other.Number));

        /// <summary><see cref="floor_divide(Scalar)"/>, in place.</summary>
        public Tensor floor_divide_(Scalar other) => Changed(Native.et_floor_divide_number_(Handle, other.Number));

        /// <summary>Remainder with the sign of the divisor.</summary>
        public Tensor remainder(Tensor target) => Made(Native.et_remainder(Handle, target.Handle), target);

        /// <summary><see cref="remainder(Tensor)"/>, in place.</summary>
        public Tensor remainder_(Tensor target) => Changed(Native.et_remainder_(Handle, target.Handle), target);

        /// <summary>Remainder with the sign of the divisor.</summary>
        public Tensor remainder(Scalar scalar) => Made(Native.et_remainder_number(Handle, scalar.Number));

        /// <summary><see cref="remainder(Scalar)"/>, in place.</summary>
        public Tensor remainder_(Scalar scalar) => Changed(Native.et_remainder_number_(Handle, scalar.Number));

        /// <summary>Remainder with the sign of the dividend.</summary>
        public Tensor fmod(Tensor target) => Made(Native.et_fmod(Handle, target.Handle), target);

        /// <summary><see cref="fmod(Tensor)"/>, in place.</summary>
        public Tensor fmod_(Tensor target) => Changed(Native.et_fmod_(Handle, target.Handle), target);

        /// <summary>Remainder with the sign of the dividend.</summary>
        public Tensor fmod(Scalar scalar) => Made(Native.et_fmod_number(Handle, scalar.Number));

        /// <summary><see cref="fmod(Scalar)"/>, in place.</summary>
        public Tensor fmod_(Scalar scalar) => Changed(Native.et_fmod_number_(Handle, scalar.Number));

        /// <summary>this to the power of exponent.</summary>
        public Tensor pow(Tensor exponent) => Made(Native.et_pow(Handle, exponent.Handle), exponent);

        /// <summary><see cref="pow(Tensor)"/>, in place.</summary>
        public Tensor pow_(Tensor exponent) => Changed(Native.et_pow_(Handle, exponent.Handle), exponent);

        /// <summary>this to the power of exponent.</summary>
        public Tensor pow(Scalar exponent) => Made(Native.et_pow_number(Handle, exponent.Number));

        /// <summary><see cref="pow(Scalar)"/>, in place.</summary>
        public Tensor pow_(Scalar exponent) => Changed(Native.et_pow_number_(Handle, exponent.Number));

        /// <summary>Power computed in double precision.</summary>
        public Tensor float_power(Tensor target) => Made(Native.et_float_power(Handle, target.Handle), target);

        /// <summary><see cref="float_power(Tensor)"/>, in place.</summary>
        public Tensor float_power_(Tensor target) => Changed(Native.et_float_power_(Handle, target.Handle), target);

        /// <summary>Size of this with the sign of other.</summary>
        public Tensor copysign(Tensor other) => Made(Native.et_copysign(Handle, other.Handle), other);

        /// <summary><see cref="copysign(Tensor)"/>, in place.</summary>
        public Tensor copysign_(Tensor other) => Changed(Native.et_copysign_(Handle, other.Handle), other);

        /// <summary>this * log(y); zero where this is zero.</summary>
        public Tensor xlogy(Tensor y) => Made(Native.et_xlogy(Handle, y.Handle), y);

        /// <summary><see cref="xlogy(Tensor)"/>, in place.</summary>
        public Tensor xlogy_(Tensor y) => Changed(Native.et_xlogy_(Handle, y.Handle), y);

        /// <summary>The larger of both; NaN wins.</summary>
        public Tensor maximum(Tensor other) => Made(Native.et_maximum(Handle, other.Handle), other);

        /// <summary>The smaller of both; NaN wins.</summary>
        public Tensor minimum(Tensor other) => Made(Native.et_minimum(Handle, other.Handle), other);

        /// <summary>The larger of both; NaN loses.</summary>
        public Tensor fmax(Tensor other) => Made(Native.et_fmax(Handle, other.Handle), other);

        /// <summary>The smaller of both; NaN loses.</summary>
        public Tensor fmin(Tensor other) => Made(Native.et_fmin(Handle, other.Handle), other);

        /// <summary>log(exp(this) + exp(other)) without overflow.</summary>
        public Tensor logaddexp(Tensor other) => Made(Native.et_logaddexp(Handle, other.Handle), other);

        /// <summary>log2(2^this + 2^other) without overflow.</summary>
        public Tensor logaddexp2(Tensor other) => Made(Native.et_logaddexp2(Handle, other.Handle), other);

        /// <summary>this + value * tensor1 * tensor2.</summary>
        public Tensor addcmul(Tensor tensor1, Tensor tensor2, Scalar value) =>
            Made(Native.et_addcmul(Handle, tensor1.Handle, tensor2.Handle, value.Number), tensor1, tensor2);

        /// <summary>this += value * tensor1 * tensor2.</summary>
        public Tensor addcmul_(Tensor tensor1, Tensor tensor2, Scalar value) =>
            Changed(Native.et_addcmul_(Handle, tensor1.Handle, tensor2.Handle, value.Number), tensor1, tensor2);

        /// <summary>this + value * tensor1 / tensor2.</summary>
        public Tensor addcdiv(Tensor tensor1, Tensor tensor2, Scalar value) =>
            Made(Native.et_addcdiv(Handle, tensor1.Handle, tensor2.Handle, value.Number), tensor1, tensor2);

        /// <summary>this += value * tensor1 / tensor2.</summary>
        public Tensor addcdiv_(Tensor tensor1, Tensor tensor2, Scalar value) =>
            Changed(Native.et_addcdiv_(Handle, tensor1.Handle, tensor2.Handle, value.Number), tensor1, tensor2);

        /// <summary>this + tensor1 / tensor2.</summary>
        public Tensor addcdiv(Tensor tensor1, Tensor tensor2) => addcdiv(tensor1, tensor2, 1);

        /// <summary>this += tensor1 / tensor2.</summary>
        public Tensor addcdiv_(Tensor tensor1, Tensor tensor2) => addcdiv_(tensor1, tensor2, 1);

        /// <summary>this + weight * (end - this).</summary>
        public Tensor lerp(Tensor end, Tensor weight) =>
            Made(Native.et_lerp(Handle, end.Handle, weight.Handle), end, weight);

        /// <summary>this += weight * (end - this).</summary>
        public Tensor lerp_(Tensor end, Tensor weight) =>
            Changed(Native.et_lerp_(Handle, end.Handle, weight.Handle), end, weight);

        /// <summary>Limited to [min, max]; null is no limit.</summary>
        public Tensor clamp(Scalar? min = null, Scalar? max = null) =>
            Made(Native.et_clamp(Handle, min?.Number ?? Number.None, max?.Number ?? Number.None));

        /// <summary><see cref="clamp(Scalar, Scalar)"/>, in place.</summary>
        public Tensor clamp_(Scalar? min = null, Scalar? max = null) =>
            Changed(Native.et_clamp_(Handle, min?.Number ?? Number.None, max?.Number ?? Number.None));

        /// <summary>Limited element by element; null is no limit.</summary>
        public Tensor clamp(Tensor? min = null, Tensor? max = null) =>
            Made(Native.et_clamp_by(Handle, Of(min), Of(max)), min, max);

        /// <summary><see cref="clamp(Tensor, Tensor)"/>, in place.</summary>
        public Tensor clamp_(Tensor? min = null, Tensor? max = null) =>
            Changed(Native.et_clamp_by_(Handle, Of(min), Of(max)), min, max);

        /// <summary><see cref="clamp(Scalar, Scalar)"/>.</summary>
        public Tensor clip(Scalar? min = null, Scalar? max = null) => clamp(min, max);

        /// <summary>Limited from below.</summary>
        public Tensor clamp_min(Scalar min) => clamp(min, null);

        /// <summary><see cref="clamp_min"/>, in place.</summary>
        public Tensor clamp_min_(Scalar min) => clamp_(min, null);

        /// <summary>Limited from above.</summary>
        public Tensor clamp_max(Scalar max) => clamp(null, max);

        /// <summary><see cref="clamp_max"/>, in place.</summary>
        public Tensor clamp_max_(Scalar max) => clamp_(null, max);
    }
}
