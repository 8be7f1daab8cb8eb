namespace TorchSharp;

public static partial class torch
{
    /// <summary>Factorisations, solutions and norms of matrices; leading dimensions are batches.</summary>
    public static unsafe partial class linalg
    {
        /// <summary>Which parts of a QR factorisation to compute.</summary>
        public enum QRMode
        {
            Reduced = 0,
            Complete = 1,
            R = 2,
        }

        /// <summary>The lower triangle L with L Lᵀ = input; throws unless the input is positive definite.</summary>
        public static Tensor cholesky(Tensor input) => Made(Native.et_linalg_cholesky(input.Handle), input);

        /// <summary>Like <see cref="cholesky"/>; a failure is reported as a number above zero instead.</summary>
        public static (Tensor L, Tensor info) cholesky_ex(Tensor input, bool check_errors = false)
        {
            IntPtr factor, info;
            Done(Native.et_linalg_cholesky_ex(input.Handle, check_errors, &factor, &info), input);
            return (new Tensor(factor), new Tensor(info));
        }

        /// <summary>Inverse matrix.</summary>
        public static Tensor inv(Tensor input) => Made(Native.et_linalg_inv(input.Handle), input);

        /// <summary>Like <see cref="inv"/>; a failure is reported as a number above zero instead.</summary>
        public static (Tensor L, Tensor info) inv_ex(Tensor input, bool check_errors = false)
        {
            IntPtr inverse, info;
            Done(Native.et_linalg_inv_ex(input.Handle, check_errors, &inverse, &info), input);
            return (new Tensor(inverse), new Tensor(info));
        }

        /// <summary>Determinant.</summary>
        public static Tensor det(Tensor input) => Made(Native.et_linalg_det(input.Handle), input);

        /// <summary>Sign and logarithm of the absolute value of the determinant.</summary>
        public static (Tensor, Tensor) slogdet(Tensor input)
        {
            IntPtr sign, logarithm;
            Done(Native.et_linalg_slogdet(input.Handle, &sign, &logarithm), input);
            return (new Tensor(sign), new Tensor(logarithm));
        }

        /// <summary>Orthogonal Q and upper triangle R with Q R = input.</summary>
        public static (Tensor Q, Tensor R) qr(Tensor input, QRMode mode = QRMode.Reduced)
        {
            IntPtr q, r;
            Done(Native.et_linalg_qr(input.Handle, (int)mode, &q, &r), input);
            return (new Tensor(q), new Tensor(r));
        }

        /// <summary>U, singular values S in descending order, and Vh with U diag(S) Vh = input.</summary>
        public static (Tensor U, Tensor S, Tensor Vh) svd(Tensor input, bool fullMatrices = true)
        {
            IntPtr u, s, vh;
            Done(Native.et_linalg_svd(input.Handle, fullMatrices, &u, &s, &vh), input);
            return (new Tensor(u), new Tensor(s), new Tensor(vh));
        }

        /// <summary>Singular values in descending order.</summary>
        public static Tensor svdvals(Tensor input) => Made(Native.et_linalg_svdvals(input.Handle), input);

        /// <summary>Eigenvalues in ascending order and eigenvectors of a symmetric matrix, of which one triangle is read.</summary>
        public static (Tensor, Tensor) eigh(Tensor input, char UPLO = 'L')
        {
            IntPtr values, vectors;
            Done(Native.et_linalg_eigh(input.Handle, (byte)UPLO, &values, &vectors), input);
            return (new Tensor(values), new Tensor(vectors));
        }

        /// <summary>Eigenvalues of a symmetric matrix in ascending order.</summary>
        public static Tensor eigvalsh(Tensor input, char UPLO = 'L') => Made(Native.et_linalg_eigvalsh(input.Handle, (byte)UPLO), input);

        /// <summary>X with A X = B, or X A = B if not left.</summary>
        public static Tensor solve(Tensor A, Tensor B, bool left = true) => Made(Native.et_linalg_solve(A.Handle, B.Handle, left), A, B);

        /// <summary>X with A X = B for a triangular A.</summary>
        public static Tensor solve_triangular(Tensor A, Tensor B, bool upper, bool left = true, bool unitriangular = false, Tensor? @out = null)
        {
            Tensor result = Made(Native.et_linalg_solve_triangular(A.Handle, B.Handle, upper, left, unitriangular), A, B);
            if (@out is null)
                return result;
            @out.copy_(result);
            result.Dispose();
            return @out;
        }

        /// <summary>The X with the smallest norm of input X - other.</summary>
        public static (Tensor Solution, Tensor Residuals, Tensor Rank, Tensor SingularValues) lstsq(Tensor input, Tensor other)
        {
            IntPtr solution, residuals, rank, singular;
            Done(Native.et_linalg_lstsq(input.Handle, other.Handle, &solution, &residuals, &rank, &singular), input, other);
            return (new Tensor(solution), new Tensor(residuals), new Tensor(rank), new Tensor(singular));
        }

        /// <summary>Pseudo-inverse.</summary>
        public static Tensor pinv(Tensor input, double? atol = null, double? rtol = null, bool hermitian = false) =>
            Made(Native.et_linalg_pinv(input.Handle, atol ?? 0, atol.HasValue, rtol ?? 0, rtol.HasValue, hermitian), input);

        /// <summary>Number of singular values above the tolerance.</summary>
        public static Tensor matrix_rank(Tensor input, double? atol = null, double? rtol = null, bool hermitian = false) =>
            Made(Native.et_linalg_matrix_rank(input.Handle, atol ?? 0, atol.HasValue, rtol ?? 0, rtol.HasValue, hermitian), input);

        /// <summary>Matrix exponential.</summary>
        public static Tensor matrix_exp(Tensor input) => Made(Native.et_linalg_matrix_exp(input.Handle), input);

        /// <summary>Product of several matrices in the cheapest order.</summary>
        public static Tensor multi_dot(IList<Tensor> tensors)
        {
            IntPtr[] handles = Native.Handles(tensors);
            fixed (IntPtr* pointer = handles)
            {
                IntPtr result = Native.et_multi_dot(pointer, handles.Length);
                GC.KeepAlive(tensors);
                return Native.Wrap(result);
            }
        }

        /// <summary>Norm of the elements as one vector, over these dimensions or over all.</summary>
        public static Tensor vector_norm(Tensor input, double ord = 2.0, long[]? dims = null, bool keepdim = false)
        {
            fixed (long* pointer = dims)
                return Made(Native.et_linalg_vector_norm(input.Handle, ord, pointer, dims?.Length ?? 0, keepdim), input);
        }

        /// <summary>Vector norm, or matrix norm over two dimensions, by name such as <c>fro</c> or <c>nuc</c>.</summary>
        public static Tensor norm(Tensor input, string ord, long[]? dims = null, bool keepdim = false)
        {
            fixed (byte* name = Native.Utf8(ord))
            fixed (long* pointer = dims)
                return Made(Native.et_linalg_norm_named(input.Handle, name, pointer, dims?.Length ?? 0, keepdim), input);
        }

        /// <summary>Vector norm, or matrix norm over two dimensions, of this order.</summary>
        public static Tensor norm(Tensor input, double ord, long[]? dims = null, bool keepdim = false)
        {
            fixed (long* pointer = dims)
                return Made(Native.et_linalg_norm(input.Handle, ord, true, pointer, dims?.Length ?? 0, keepdim), input);
        }

        /// <inheritdoc cref="norm(Tensor, double, long[], bool)"/>
        public static Tensor norm(Tensor input, int ord, long[]? dims = null, bool keepdim = false) => norm(input, (double)ord, dims, keepdim);

        /// <summary>2-norm of a vector or Frobenius norm of a matrix.</summary>
        public static Tensor norm(Tensor input, long[]? dims = null, bool keepdim = false)
        {
            fixed (long* pointer = dims)
                return Made(Native.et_linalg_norm(input.Handle, 0, false, pointer, dims?.Length ?? 0, keepdim), input);
        }

        private static Tensor Made(IntPtr handle, Tensor a, Tensor? b = null)
        {
            GC.KeepAlive(a);
            GC.KeepAlive(b);
            return Native.Wrap(handle);
        }

        private static void Done(int status, Tensor a, Tensor? b = null)
        {
            GC.KeepAlive(a);
            GC.KeepAlive(b);
            Native.Check(status);
        }
    }
}
