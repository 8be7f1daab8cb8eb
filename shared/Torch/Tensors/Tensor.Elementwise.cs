namespace TorchSharp;

public static partial class torch
{
    // Functions of one element.
    public unsafe partial class Tensor
    {
        /// <summary>Absolute values.</summary>
        public Tensor abs() => Made(Native.et_abs(Handle));

        /// <summary><see cref="abs()"/>, in place.</summary>
        public Tensor abs_() => Changed(Native.et_abs_(Handle));

        /// <summary><see cref="abs()"/>.</summary>
        public Tensor absolute() => abs();

        /// <summary><see cref="abs()"/>, in place.</summary>
        public Tensor absolute_() => abs_();

        /// <summary>Every bit inverted; for booleans the logical complement.</summary>
        public Tensor bitwise_not() => Made(Native.et_bitwise_not(Handle));

        /// <summary><see cref="bitwise_not()"/>, in place.</summary>
        public Tensor bitwise_not_() => Changed(Native.et_bitwise_not_(Handle));

        /// <summary>Rounded up to integers.</summary>
        public Tensor ceil() => Made(Native.et_ceil(Handle));

        /// <summary><see cref="ceil()"/>, in place.</summary>
        public Tensor ceil_() => Changed(Native.et_ceil_(Handle));

        /// <summary>Logarithmic derivative of the gamma function.</summary>
        public Tensor digamma() => Made(Native.et_digamma(Handle));

        /// <summary><see cref="digamma()"/>, in place.</summary>
        public Tensor digamma_() => Changed(Native.et_digamma_(Handle));

        /// <summary>Error function.</summary>
        public Tensor erf() => Made(Native.et_erf(Handle));

        /// <summary><see cref="erf()"/>, in place.</summary>
        public Tensor erf_() => Changed(Native.et_erf_(Handle));

        /// <summary>Complement of the error function, 1 - erf.</summary>
        public Tensor erfc() => Made(Native.et_erfc(Handle));

        /// <summary><see cref="erfc()"/>, in place.</summary>
        public Tensor erfc_() => Changed(Native.et_erfc_(Handle));

        /// <summary>Inverse of the error function.</summary>
        public Tensor erfinv() => Made(Native.et_erfinv(Handle));

        /// <summary><see cref="erfinv()"/>, in place.</summary>
        public Tensor erfinv_() => Changed(Native.et_erfinv_(Handle));

        /// <summary>e to the power of each element.</summary>
        public Tensor exp() => Made(Native.et_exp(Handle));

        /// <summary><see cref="exp()"/>, in place.</summary>
        public Tensor exp_() => Changed(Native.et_exp_(Handle));

        /// <summary>2 to the power of each element.</summary>
        public Tensor exp2() => Made(Native.et_exp2(Handle));

        /// <summary><see cref="exp2()"/>, in place.</summary>
        public Tensor exp2_() => Changed(Native.et_exp2_(Handle));

        /// <summary>exp - 1, exact near zero.</summary>
        public Tensor expm1() => Made(Native.et_expm1(Handle));

        /// <summary><see cref="expm1()"/>, in place.</summary>
        public Tensor expm1_() => Changed(Native.et_expm1_(Handle));

        /// <summary>Rounded down to integers.</summary>
        public Tensor floor() => Made(Native.et_floor(Handle));

        /// <summary><see cref="floor()"/>, in place.</summary>
        public Tensor floor_() => Changed(Native.et_floor_(Handle));

        /// <summary>The part after the decimal point, with the sign of the element.</summary>
        public Tensor frac() => Made(Native.et_frac(Handle));

        /// <summary><see cref="frac()"/>, in place.</summary>
        public Tensor frac_() => Changed(Native.et_frac_(Handle));

        /// <summary>Logarithm of the absolute gamma function.</summary>
        public Tensor lgamma() => Made(Native.et_lgamma(Handle));

        /// <summary><see cref="lgamma()"/>, in place.</summary>
        public Tensor lgamma_() => Changed(Native.et_lgamma_(Handle));

        /// <summary>Natural logarithm.</summary>
        public Tensor log() => Made(Native.et_log(Handle));

        /// <summary><see cref="log()"/>, in place.</summary>
        public Tensor log_() => Changed(Native.et_log_(Handle));

        /// <summary>Logarithm to base 10.</summary>
        public Tensor log10() => Made(Native.et_log10(Handle));

        /// <summary><see cref="log10()"/>, in place.</summary>
        public Tensor log10_() => Changed(Native.et_log10_(Handle));

        /// <summary>log(1 + x), exact near zero.</summary>
        public Tensor log1p() => Made(Native.et_log1p(Handle));

        /// <summary><see cref="log1p()"/>, in place.</summary>
        public Tensor log1p_() => Changed(Native.et_log1p_(Handle));

        /// <summary>Logarithm to base 2.</summary>
        public Tensor log2() => Made(Native.et_log2(Handle));

        /// <summary><see cref="log2()"/>, in place.</summary>
        public Tensor log2_() => Changed(Native.et_log2_(Handle));

        /// <summary>True where the element is zero.</summary>
        public Tensor logical_not() => Made(Native.et_logical_not(Handle));

        /// <summary><see cref="logical_not()"/>, in place.</summary>
        public Tensor logical_not_() => Changed(Native.et_logical_not_(Handle));

        /// <summary>Every element with the other sign.</summary>
        public Tensor neg() => Made(Native.et_neg(Handle));

        /// <summary><see cref="neg()"/>, in place.</summary>
        public Tensor neg_() => Changed(Native.et_neg_(Handle));

        /// <summary><see cref="neg()"/>.</summary>
        public Tensor negative() => neg();

        /// <summary>1 / x.</summary>
        public Tensor reciprocal() => Made(Native.et_reciprocal(Handle));

        /// <summary><see cref="reciprocal()"/>, in place.</summary>
        public Tensor reciprocal_() => Changed(Native.et_reciprocal_(Handle));

        /// <summary>max(x, 0).</summary>
        public Tensor relu() => Made(Native.et_relu(Handle));

        /// <summary><see cref="relu()"/>, in place.</summary>
        public Tensor relu_() => Changed(Native.et_relu_(Handle));

        /// <summary>1 / sqrt(x).</summary>
        public Tensor rsqrt() => Made(Native.et_rsqrt(Handle));

        /// <summary><see cref="rsqrt()"/>, in place.</summary>
        public Tensor rsqrt_() => Changed(Native.et_rsqrt_(Handle));

        /// <summary>-1, 0 or 1 by the sign of the element.</summary>
        public Tensor sgn() => Made(Native.et_sgn(Handle));

        /// <summary><see cref="sgn()"/>, in place.</summary>
        public Tensor sgn_() => Changed(Native.et_sgn_(Handle));

        /// <summary>1 / (1 + exp(-x)).</summary>
        public Tensor sigmoid() => Made(Native.et_sigmoid(Handle));

        /// <summary><see cref="sigmoid()"/>, in place.</summary>
        public Tensor sigmoid_() => Changed(Native.et_sigmoid_(Handle));

        /// <summary>-1, 0 or 1 by the sign of the element.</summary>
        public Tensor sign() => Made(Native.et_sign(Handle));

        /// <summary><see cref="sign()"/>, in place.</summary>
        public Tensor sign_() => Changed(Native.et_sign_(Handle));

        /// <summary>x times sigmoid(x).</summary>
        public Tensor silu() => Made(Native.et_silu(Handle));

        /// <summary><see cref="silu()"/>, in place.</summary>
        public Tensor silu_() => Changed(Native.et_silu_(Handle));

        /// <summary>Square root.</summary>
        public Tensor sqrt() => Made(Native.et_sqrt(Handle));

        /// <summary><see cref="sqrt()"/>, in place.</summary>
        public Tensor sqrt_() => Changed(Native.et_sqrt_(Handle));

        /// <summary>Rounded towards zero.</summary>
        public Tensor trunc() => Made(Native.et_trunc(Handle));

        /// <summary><see cref="trunc()"/>, in place.</summary>
        public Tensor trunc_() => Changed(Native.et_trunc_(Handle));

        /// <summary><see cref="trunc()"/>.</summary>
        public Tensor fix() => trunc();

        /// <summary><see cref="trunc()"/>, in place.</summary>
        public Tensor fix_() => trunc_();

        /// <summary>x squared.</summary>
        public Tensor square() => pow(2);

        /// <summary>The tensor itself.</summary>
        public Tensor positive() => alias();

        /// <summary>Rounded to this many decimals, halves to even.</summary>
        public Tensor round(long decimals = 0L) => Made(Native.et_round(Handle, decimals));

        /// <summary><see cref="round(long)"/>, in place.</summary>
        public Tensor round_(long decimals = 0L) => Changed(Native.et_round_(Handle, decimals));

        /// <summary>NaN and infinities replaced; null is the largest or smallest number of the element type.</summary>
        public Tensor nan_to_num(double nan = 0d, double? posinf = null, double? neginf = null) =>
            Made(Native.et_nan_to_num(Handle, nan, posinf ?? 0, posinf.HasValue, neginf ?? 0, neginf.HasValue));
    }
}
