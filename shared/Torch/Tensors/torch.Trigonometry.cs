namespace TorchSharp;

// The methods of Tensor.Trigonometry.cs as functions.
public static partial class torch
{
    /// <summary>Inverse cosine.</summary>
    public static Tensor acos(Tensor input) => input.acos();

    /// <summary><see cref="Tensor.acos()"/>, in place.</summary>
    public static Tensor acos_(Tensor input) => input.acos_();

    /// <summary>Inverse hyperbolic cosine.</summary>
    public static Tensor acosh(Tensor input) => input.acosh();

    /// <summary><see cref="Tensor.acosh()"/>, in place.</summary>
    public static Tensor acosh_(Tensor input) => input.acosh_();

    /// <summary><see cref="Tensor.acos()"/>.</summary>
    public static Tensor arccos(Tensor input) => input.arccos();

    /// <summary><see cref="Tensor.acos()"/>, in place.</summary>
    public static Tensor arccos_(Tensor input) => input.arccos_();

    /// <summary><see cref="Tensor.acosh()"/>.</summary>
    public static Tensor arccosh(Tensor input) => input.arccosh();

    /// <summary><see cref="Tensor.acosh()"/>, in place.</summary>
    public static Tensor arccosh_(Tensor input) => input.arccosh_();

    /// <summary><see cref="Tensor.asin()"/>.</summary>
    public static Tensor arcsin(Tensor input) => input.arcsin();

    /// <summary><see cref="Tensor.asin()"/>, in place.</summary>
    public static Tensor arcsin_(Tensor input) => input.arcsin_();

    /// <summary><see cref="Tensor.asinh()"/>.</summary>
    public static Tensor arcsinh(Tensor input) => input.arcsinh();

    /// <summary><see cref="Tensor.asinh()"/>, in place.</summary>
    public static Tensor arcsinh_(Tensor input) => input.arcsinh_();

    /// <summary><see cref="Tensor.atan()"/>.</summary>
    public static Tensor arctan(Tensor input) => input.arctan();

    /// <summary><see cref="Tensor.atan2(Tensor)"/>.</summary>
    public static Tensor arctan2(Tensor input, Tensor other) => input.arctan2(other);

    /// <summary><see cref="Tensor.atan2(Tensor)"/>, in place.</summary>
    public static Tensor arctan2_(Tensor input, Tensor other) => input.arctan2_(other);

    /// <summary><see cref="Tensor.atan()"/>, in place.</summary>
    public static Tensor arctan_(Tensor input) => input.arctan_();

    /// <summary><see cref="Tensor.atanh()"/>.</summary>
    public static Tensor arctanh(Tensor input) => input.arctanh();

    /// <summary><see cref="Tensor.atanh()"/>, in place.</summary>
    public static Tensor arctanh_(Tensor input) => input.arctanh_();

    /// <summary>Inverse sine.</summary>
    public static Tensor asin(Tensor input) => input.asin();

    /// <summary><see cref="Tensor.asin()"/>, in place.</summary>
    public static Tensor asin_(Tensor input) => input.asin_();

    /// <summary>Inverse hyperbolic sine.</summary>
    public static Tensor asinh(Tensor input) => input.asinh();

    /// <summary><see cref="Tensor.asinh()"/>, in place.</summary>
    public static Tensor asinh_(Tensor input) => input.asinh_();

    /// <summary>Inverse tangent.</summary>
    public static Tensor atan(Tensor input) => input.atan();

    /// <summary>Angle of the vector (other, this).</summary>
    public static Tensor atan2(Tensor input, Tensor other) => input.atan2(other);

    /// <summary><see cref="Tensor.atan2(Tensor)"/>, in place.</summary>
    public static Tensor atan2_(Tensor input, Tensor other) => input.atan2_(other);

    /// <summary><see cref="Tensor.atan()"/>, in place.</summary>
    public static Tensor atan_(Tensor input) => input.atan_();

    /// <summary>Inverse hyperbolic tangent.</summary>
    public static Tensor atanh(Tensor input) => input.atanh();

    /// <summary><see cref="Tensor.atanh()"/>, in place.</summary>
    public static Tensor atanh_(Tensor input) => input.atanh_();

    /// <summary>Cosine of angles in radians.</summary>
    public static Tensor cos(Tensor input) => input.cos();

    /// <summary><see cref="Tensor.cos()"/>, in place.</summary>
    public static Tensor cos_(Tensor input) => input.cos_();

    /// <summary>Hyperbolic cosine.</summary>
    public static Tensor cosh(Tensor input) => input.cosh();

    /// <summary><see cref="Tensor.cosh()"/>, in place.</summary>
    public static Tensor cosh_(Tensor input) => input.cosh_();

    /// <summary>Degrees to radians.</summary>
    public static Tensor deg2rad(Tensor input) => input.deg2rad();

    /// <summary><see cref="Tensor.deg2rad()"/>, in place.</summary>
    public static Tensor deg2rad_(Tensor input) => input.deg2rad_();

    /// <summary>Length of the vector (this, other).</summary>
    public static Tensor hypot(Tensor left, Tensor right) => left.hypot(right);

    /// <summary>Radians to degrees.</summary>
    public static Tensor rad2deg(Tensor input) => input.rad2deg();

    /// <summary><see cref="Tensor.rad2deg()"/>, in place.</summary>
    public static Tensor rad2deg_(Tensor input) => input.rad2deg_();

    /// <summary>Sine of angles in radians.</summary>
    public static Tensor sin(Tensor input) => input.sin();

    /// <summary><see cref="Tensor.sin()"/>, in place.</summary>
    public static Tensor sin_(Tensor input) => input.sin_();

    /// <summary>Hyperbolic sine.</summary>
    public static Tensor sinh(Tensor input) => input.sinh();

    /// <summary><see cref="Tensor.sinh()"/>, in place.</summary>
    public static Tensor sinh_(Tensor input) => input.sinh_();

    /// <summary>Tangent of angles in radians.</summary>
    public static Tensor tan(Tensor input) => input.tan();

    /// <summary><see cref="Tensor.tan()"/>, in place.</summary>
    public static Tensor tan_(Tensor input) => input.tan_();

    /// <summary>Hyperbolic tangent.</summary>
    public static Tensor tanh(Tensor input) => input.tanh();

    /// <summary><see cref="Tensor.tanh()"/>, in place.</summary>
    public static Tensor tanh_(Tensor input) => input.tanh_();
}
