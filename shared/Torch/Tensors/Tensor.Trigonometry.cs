namespace TorchSharp;

public static partial class torch
{
    // Angles and hyperbolic functions.
    public unsafe partial class Tensor
    {
        /// <summary>Inverse cosine.</summary>
        public Tensor acos() => Made(Native.et_acos(Handle));

        /// <summary><see cref="acos()"/>, in place.</summary>
        public Tensor acos_() => Changed(Native.et_acos_(Handle));

        /// <summary><see cref="acos()"/>.</summary>
        public Tensor arccos() => acos();

        /// <summary><see cref="acos()"/>, in place.</summary>
        public Tensor arccos_() => acos_();

        /// <summary>Inverse hyperbolic cosine.</summary>
        public Tensor acosh() => Made(Native.et_acosh(Handle));

        /// <summary><see cref="acosh()"/>, in place.</summary>
        public Tensor acosh_() => Changed(Native.et_acosh_(Handle));

        /// <summary><see cref="acosh()"/>.</summary>
        public Tensor arccosh() => acosh();

        /// <summary><see cref="acosh()"/>, in place.</summary>
        public Tensor arccosh_() => acosh_();

        /// <summary>Inverse sine.</summary>
        public Tensor asin() => Made(Native.et_asin(Handle));

        /// <summary><see cref="asin()"/>, in place.</summary>
        public Tensor asin_() => Changed(Native.et_asin_(Handle));

        /// <summary><see cref="asin()"/>.</summary>
        public Tensor arcsin() => asin();

        /// <summary><see cref="asin()"/>, in place.</summary>
        public Tensor arcsin_() => asin_();

        /// <summary>Inverse hyperbolic sine.</summary>
        public Tensor asinh() => Made(Native.et_asinh(Handle));

        /// <summary><see cref="asinh()"/>, in place.</summary>
        public Tensor asinh_() => Changed(Native.et_asinh_(Handle));

        /// <summary><see cref="asinh()"/>.</summary>
        public Tensor arcsinh() => asinh();

        /// <summary><see cref="asinh()"/>, in place.</summary>
        public Tensor arcsinh_() => asinh_();

        /// <summary>Inverse tangent.</summary>
        public Tensor atan() => Made(Native.et_atan(Handle));

        /// <summary><see cref="atan()"/>, in place.</summary>
        public Tensor atan_() => Changed(Native.et_atan_(Handle));

        /// <summary><see cref="atan()"/>.</summary>
        public Tensor arctan() => atan();

        /// <summary><see cref="atan()"/>, in place.</summary>
        public Tensor arctan_() => atan_();

        /// <summary>Inverse hyperbolic tangent.</summary>
        public Tensor atanh() => Made(Native.et_atanh(Handle));

        /// <summary><see cref="atanh()"/>, in place.</summary>
        public Tensor atanh_() => Changed(Native.et_atanh_(Handle));

        /// <summary><see cref="atanh()"/>.</summary>
        public Tensor arctanh() => atanh();

        /// <summary><see cref="atanh()"/>, in place.</summary>
        public Tensor arctanh_() => atanh_();

        /// <summary>Cosine of angles in radians.</summary>
        public Tensor cos() => Made(Native.et_cos(Handle));

        /// <summary><see cref="cos()"/>, in place.</summary>
        public Tensor cos_() => Changed(Native.et_cos_(Handle));

        /// <summary>Hyperbolic cosine.</summary>
        public Tensor cosh() => Made(Native.et_cosh(Handle));

        /// <summary><see cref="cosh()"/>, in place.</summary>
        public Tensor cosh_() => Changed(Native.et_cosh_(Handle));

        /// <summary>Degrees to radians.</summary>
        public Tensor deg2rad() => Made(Native.et_deg2rad(Handle));

        /// <summary><see cref="deg2rad()"/>, in place.</summary>
        public Tensor deg2rad_() => Changed(Native.et_deg2rad_(Handle));

        /// <summary>Radians to degrees.</summary>
        public Tensor rad2deg() => Made(Native.et_rad2deg(Handle));

        /// <summary><see cref="rad2deg()"/>, in place.</summary>
        public Tensor rad2deg_() => Changed(Native.et_rad2deg_(Handle));

        /// <summary>Sine of angles in radians.</summary>
        public Tensor sin() => Made(Native.et_sin(Handle));

        /// <summary><see cref="sin()"/>, in place.</summary>
        public Tensor sin_() => Changed(Native.et_sin_(Handle));

        /// <summary>Hyperbolic sine.</summary>
        public Tensor sinh() => Made(Native.et_sinh(Handle));

        /// <summary><see cref="sinh()"/>, in place.</summary>
        public Tensor sinh_() => Changed(Native.et_sinh_(Handle));

        /// <summary>Tangent of angles in radians.</summary>
        public Tensor tan() => Made(Native.et_tan(Handle));

        /// <summary><see cref="tan()"/>, in place.</summary>
        public Tensor tan_() => Changed(Native.et_tan_(Handle));

        /// <summary>Hyperbolic tangent.</summary>
        public Tensor tanh() => Made(Native.et_tanh(Handle));

        /// <summary><see cref="tanh()"/>, in place.</summary>
        public Tensor tanh_() => Changed(Native.et_tanh_(Handle));

        /// <summary>Angle of the vector (other, this).</summary>
        public Tensor atan2(Tensor other) => Made(Native.et_atan2(Handle, other.Handle), other);

        /// <summary><see cref="atan2(Tensor)"/>, in place.</summary>
        public Tensor atan2_(Tensor other) => Changed(Native.et_atan2_(Handle, other.Handle), other);

        /// <summary><see cref="atan2(Tensor)"/>.</summary>
        public Tensor arctan2(Tensor other) => atan2(other);

        /// <summary><see cref="atan2(Tensor)"/>, in place.</summary>
        public Tensor arctan2_(Tensor other) => atan2_(other);

        /// <summary>Length of the vector (this, other).</summary>
        public Tensor hypot(Tensor other) => Made(Native.et_hypot(Handle, other.Handle), other);
    }
}
