using System.Runtime.InteropServices;

namespace TorchSharp;

// Products and factorisations of matrices. The other side is native/linalg.cpp.
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern IntPtr et_matmul(IntPtr self, IntPtr other);
    [DllImport(Library)] internal static extern IntPtr et_mm(IntPtr self, IntPtr other);
    [DllImport(Library)] internal static extern IntPtr et_mv(IntPtr self, IntPtr other);
    [DllImport(Library)] internal static extern IntPtr et_bmm(IntPtr self, IntPtr other);
    [DllImport(Library)] internal static extern IntPtr et_dot(IntPtr self, IntPtr other);
    [DllImport(Library)] internal static extern IntPtr et_vdot(IntPtr self, IntPtr other);
    [DllImport(Library)] internal static extern IntPtr et_inner(IntPtr self, IntPtr other);
    [DllImport(Library)] internal static extern IntPtr et_outer(IntPtr self, IntPtr other);
    [DllImport(Library)] internal static extern IntPtr et_kron(IntPtr self, IntPtr other);
    [DllImport(Library)] internal static extern IntPtr et_addmm(IntPtr self, IntPtr a, IntPtr b, double beta, double alpha);
    [DllImport(Library)] internal static extern int et_addmm_(IntPtr self, IntPtr a, IntPtr b, double beta, double alpha);
    [DllImport(Library)] internal static extern IntPtr et_addmv(IntPtr self, IntPtr a, IntPtr b, double beta, double alpha);
    [DllImport(Library)] internal static extern int et_addmv_(IntPtr self, IntPtr a, IntPtr b, double beta, double alpha);
    [DllImport(Library)] internal static extern IntPtr et_addr(IntPtr self, IntPtr a, IntPtr b, double beta, double alpha);
    [DllImport(Library)] internal static extern int et_addr_(IntPtr self, IntPtr a, IntPtr b, double beta, double alpha);
    [DllImport(Library)] internal static extern IntPtr et_addbmm(IntPtr self, IntPtr a, IntPtr b, double beta, double alpha);
    [DllImport(Library)] internal static extern int et_addbmm_(IntPtr self, IntPtr a, IntPtr b, double beta, double alpha);
    [DllImport(Library)] internal static extern IntPtr et_baddbmm(IntPtr self, IntPtr a, IntPtr b, double beta, double alpha);
    [DllImport(Library)] internal static extern IntPtr et_einsum(byte* equation, IntPtr* list, long count);
    [DllImport(Library)] internal static extern IntPtr et_tensordot(IntPtr self, IntPtr other, long* dims1, long* dims2, long count);
    [DllImport(Library)] internal static extern IntPtr et_multi_dot(IntPtr* list, long count);
    [DllImport(Library)] internal static extern IntPtr et_cdist(IntPtr a, IntPtr b, double p, long mode, bool hasMode);
    [DllImport(Library)] internal static extern IntPtr et_trace(IntPtr self);
    [DllImport(Library)] internal static extern IntPtr et_cholesky_inverse(IntPtr self, bool upper);
    [DllImport(Library)] internal static extern IntPtr et_cholesky_solve(IntPtr self, IntPtr factor, bool upper);
    [DllImport(Library)] internal static extern IntPtr et_linalg_cholesky(IntPtr self);
    [DllImport(Library)] internal static extern int et_linalg_cholesky_ex(IntPtr self, bool check, IntPtr* factor, IntPtr* info);
    [DllImport(Library)] internal static extern IntPtr et_linalg_inv(IntPtr self);
    [DllImport(Library)] internal static extern IntPtr et_linalg_det(IntPtr self);
    [DllImport(Library)] internal static extern IntPtr et_linalg_matrix_exp(IntPtr self);
    [DllImport(Library)] internal static extern int et_linalg_inv_ex(IntPtr self, bool check, IntPtr* inverse, IntPtr* info);
    [DllImport(Library)] internal static extern int et_linalg_slogdet(IntPtr self, IntPtr* sign, IntPtr* log);
    [DllImport(Library)] internal static extern int et_linalg_qr(IntPtr self, int mode, IntPtr* q, IntPtr* r);
    [DllImport(Library)] internal static extern int et_linalg_svd(IntPtr self, bool full, IntPtr* u, IntPtr* s, IntPtr* v);
    [DllImport(Library)] internal static extern IntPtr et_linalg_svdvals(IntPtr self);
    [DllImport(Library)] internal static extern int et_linalg_eigh(IntPtr self, byte triangle, IntPtr* values, IntPtr* vectors);
    [DllImport(Library)] internal static extern IntPtr et_linalg_eigvalsh(IntPtr self, byte triangle);
    [DllImport(Library)] internal static extern IntPtr et_linalg_solve(IntPtr a, IntPtr b, bool left);
    [DllImport(Library)] internal static extern IntPtr et_linalg_solve_triangular(IntPtr a, IntPtr b, bool upper, bool left, bool unit);
    [DllImport(Library)] internal static extern int et_linalg_lstsq(IntPtr a, IntPtr b, IntPtr* solution, IntPtr* residuals, IntPtr* rank, IntPtr* singular);
    [DllImport(Library)] internal static extern IntPtr et_linalg_pinv(IntPtr self, double atol, bool hasAtol, double rtol, bool hasRtol, bool hermitian);
    [DllImport(Library)] internal static extern IntPtr et_linalg_matrix_rank(IntPtr self, double atol, bool hasAtol, double rtol, bool hasRtol, bool hermitian);
    [DllImport(Library)] internal static extern IntPtr et_matrix_power(IntPtr self, long n);
    [DllImport(Library)] internal static extern IntPtr et_linalg_vector_norm(IntPtr self, double order, long* dims, long count, bool keepdim);
    [DllImport(Library)] internal static extern IntPtr et_linalg_norm(IntPtr self, double order, bool hasOrder, long* dims, long count, bool keepdim);
    [DllImport(Library)] internal static extern IntPtr et_linalg_norm_named(IntPtr self, byte* order, long* dims, long count, bool keepdim);
}
