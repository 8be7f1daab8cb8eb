namespace TorchSharp;

// The methods of Tensor.Elementwise.cs as functions.
public static partial class torch
{
    /// <summary>Absolute values.</summary>
    public static Tensor abs(Tensor input) => input.abs();

    /// <summary><see cref="Tensor.abs()"/>, in place.</summary>
    public static Tensor abs_(Tensor input) => input.abs_();

    /// <summary><see cref="Tensor.abs()"/>.</summary>
    public static Tensor absolute(Tensor input) => input.absolute();

    /// <summary><see cref="Tensor.abs()"/>, in place.</summary>
    public static Tensor absolute_(Tensor input) => input.absolute_();

    /// <summary>Every bit inverted; for booleans the logical complement.</summary>
    public static Tensor bitwise_not(Tensor input) => input.bitwise_not();

    /// <summary><see cref="Tensor.bitwise_not()"/>, in place.</summary>
    public static Tensor bitwise_not_(Tensor input) => input.bitwise_not_();

    /// <summary>Rounded up to integers.</summary>
    public static Tensor ceil(Tensor input) => input.ceil();

    /// <summary><see cref="Tensor.ceil()"/>, in place.</summary>
    public static Tensor ceil_(Tensor input) => input.ceil_();

    /// <summary>Logarithmic derivative of the gamma function.</summary>
    public static Tensor digamma(Tensor input) => input.digamma();

    /// <summary><see cref="Tensor.digamma()"/>, in place.</summary>
    public static Tensor digamma_(Tensor input) => input.digamma_();

    /// <summary>Error function.</summary>
    public static Tensor erf(Tensor input) => input.erf();

    /// <summary><see cref="Tensor.erf()"/>, in place.</summary>
    public static Tensor erf_(Tensor input) => input.erf_();

    /// <summary>Complement of the error function, 1 - erf.</summary>
    public static Tensor erfc(Tensor input) => input.erfc();

    /// <summary><see cref="Tensor.erfc()"/>, in place.</summary>
    public static Tensor erfc_(Tensor input) => input.erfc_();

    /// <summary>Inverse of the error function.</summary>
    public static Tensor erfinv(Tensor input) => input.erfinv();

    /// <summary><see cref="Tensor.erfinv()"/>, in place.</summary>
    public static Tensor erfinv_(Tensor input) => input.erfinv_();

    /// <summary>e to the power of each element.</summary>
    public static Tensor exp(Tensor input) => input.exp();

    /// <summary>2 to the power of each element.</summary>
    public static Tensor exp2(Tensor input) => input.exp2();

    /// <summary><see cref="Tensor.exp2()"/>, in place.</summary>
    public static Tensor exp2_(Tensor input) => input.exp2_();

    /// <summary><see cref="Tensor.exp()"/>, in place.</summary>
    public static Tensor exp_(Tensor input) => input.exp_();

    /// <summary>exp - 1, exact near zero.</summary>
    public static Tensor expm1(Tensor input) => input.expm1();

    /// <summary><see cref="Tensor.expm1()"/>, in place.</summary>
    public static Tensor expm1_(Tensor input) => input.expm1_();

    /// <summary><see cref="Tensor.trunc()"/>.</summary>
    public static Tensor fix(Tensor input) => input.fix();

    /// <summary><see cref="Tensor.trunc()"/>, in place.</summary>
    public static Tensor fix_(Tensor input) => input.fix_();

    /// <summary>Rounded down to integers.</summary>
    public static Tensor floor(Tensor input) => input.floor();

    /// <summary><see cref="Tensor.floor()"/>, in place.</summary>
    public static Tensor floor_(Tensor input) => input.floor_();

    /// <summary>The part after the decimal point, with the sign of the element.</summary>
    public static Tensor frac(Tensor input) => input.frac();

    /// <summary><see cref="Tensor.frac()"/>, in place.</summary>
    public static Tensor frac_(Tensor input) => input.frac_();

    /// <summary>Logarithm of the absolute gamma function.</summary>
    public static Tensor lgamma(Tensor input) => input.lgamma();

    /// <summary><see cref="Tensor.lgamma()"/>, in place.</summary>
    public static Tensor lgamma_(Tensor input) => input.lgamma_();

    /// <summary>Natural logarithm.</summary>
    public static Tensor log(Tensor input) => input.log();

    /// <summary>Logarithm to base 10.</summary>
    public static Tensor log10(Tensor input) => input.log10();

    /// <summary><see cref="Tensor.log10()"/>, in place.</summary>
    public static Tensor log10_(Tensor input) => input.log10_();

    /// <summary>log(1 + x), exact near zero.</summary>
    public static Tensor log1p(Tensor input) => input.log1p();

    /// <summary><see cref="Tensor.log1p()"/>, in place.</summary>
    public static Tensor log1p_(Tensor input) => input.log1p_();

    /// <summary>Logarithm to base 2.</summary>
    public static Tensor log2(Tensor input) => input.log2();

    /// <summary><see cref="Tensor.log2()"/>, in place.</summary>
    public static Tensor log2_(Tensor input) => input.log2_();

    /// <summary><see cref="Tensor.log()"/>, in place.</summary>
    public static Tensor log_(Tensor input) => input.log_();

    /// <summary>True where the element is zero.</summary>
    public static Tensor logical_not(Tensor input) => input.logical_not();

    /// <summary>NaN and infinities replaced; null is the largest or smallest number of the element type.</summary>
    public static Tensor nan_to_num(Tensor input, double nan = 0, double? posinf = null, double? neginf = null) =>
        input.nan_to_num(nan, posinf, neginf);

    /// <summary>Every element with the other sign.</summary>
    public static Tensor neg(Tensor input) => input.neg();

    /// <summary><see cref="Tensor.neg()"/>, in place.</summary>
    public static Tensor neg_(Tensor input) => input.neg_();

    /// <summary><see cref="Tensor.neg()"/>.</summary>
    public static Tensor negative(Tensor input) => input.negative();

    /// <summary>The tensor itself.</summary>
    public static Tensor positive(Tensor input) => input.positive();

    /// <summary>1 / x.</summary>
    public static Tensor reciprocal(Tensor input) => input.reciprocal();

    /// <summary><see cref="Tensor.reciprocal()"/>, in place.</summary>
    public static Tensor reciprocal_(Tensor input) => input.reciprocal_();

    /// <summary>Rounded to this many decimals, halves to even.</summary>
    public static Tensor round(Tensor input, long decimals = 0) => input.round(decimals);

    /// <summary><see cref="Tensor.round(long)"/>, in place.</summary>
    public static Tensor round_(Tensor input, long decimals = 0) => input.round_(decimals);

    /// <summary>1 / sqrt(x).</summary>
    public static Tensor rsqrt(Tensor input) => input.rsqrt();

    /// <summary><see cref="Tensor.rsqrt()"/>, in place.</summary>
    public static Tensor rsqrt_(Tensor input) => input.rsqrt_();

    /// <summary>-1, 0 or 1 by the sign of the element.</summary>
    public static Tensor sgn(Tensor input) => input.sgn();

    /// <summary><see cref="Tensor.sgn()"/>, in place.</summary>
    public static Tensor sgn_(Tensor input) => input.sgn_();

    /// <summary>1 / (1 + exp(-x)).</summary>
    public static Tensor sigmoid(Tensor input) => input.sigmoid();

    /// <summary><see cref="Tensor.sigmoid()"/>, in place.</summary>
    public static Tensor sigmoid_(Tensor input) => input.sigmoid_();

    /// <summary>-1, 0 or 1 by the sign of the element.</summary>
    public static Tensor sign(Tensor input) => input.sign();

    /// <summary><see cref="Tensor.sign()"/>, in place.</summary>
    public static Tensor sign_(Tensor input) => input.sign_();

    /// <summary>Square root.</summary>
    public static Tensor sqrt(Tensor input) => input.sqrt();

    /// <summary><see cref="Tensor.sqrt()"/>, in place.</summary>
    public static Tensor sqrt_(Tensor input) => input.sqrt_();

    /// <summary>x squared.</summary>
    public static Tensor square(Tensor input) => input.square();

    /// <summary>Rounded towards zero.</summary>
    public static Tensor trunc(Tensor input) => input.trunc();

    /// <summary><see cref="Tensor.trunc()"/>, in place.</summary>
    public static Tensor trunc_(Tensor input) => input.trunc_();
}
