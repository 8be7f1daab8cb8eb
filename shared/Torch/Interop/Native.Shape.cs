using System.Runtime.InteropServices;

namespace TorchSharp;

// Views and rearrangements. The other side is native/shape.cpp.
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern IntPtr et_view(IntPtr self, long* size, long rank);
    [DllImport(Library)] internal static extern IntPtr et_reshape(IntPtr self, long* size, long rank);
    [DllImport(Library)] internal static extern IntPtr et_permute(IntPtr self, long* size, long rank);
    [DllImport(Library)] internal static extern IntPtr et_repeat(IntPtr self, long* size, long rank);
    [DllImport(Library)] internal static extern IntPtr et_tile(IntPtr self, long* size, long rank);
    [DllImport(Library)] internal static extern IntPtr et_flip(IntPtr self, long* size, long rank);
    [DllImport(Library)] internal static extern IntPtr et_broadcast_to(IntPtr self, long* size, long rank);
    [DllImport(Library)] internal static extern IntPtr et_expand(IntPtr self, long* size, long rank, bool @implicit);
    [DllImport(Library)] internal static extern IntPtr et_as_strided(IntPtr self, long* size, long* stride, long rank, long offset);
    [DllImport(Library)] internal static extern IntPtr et_flatten(IntPtr self, long start, long end);
    [DllImport(Library)] internal static extern IntPtr et_unflatten(IntPtr self, long dim, long* size, long rank);
    [DllImport(Library)] internal static extern IntPtr et_t(IntPtr self);
    [DllImport(Library)] internal static extern IntPtr et_transpose(IntPtr self, long dim0, long dim1);
    [DllImport(Library)] internal static extern int et_transpose_(IntPtr self, long dim0, long dim1);
    [DllImport(Library)] internal static extern IntPtr et_movedim(IntPtr self, long* source, long sources, long* destination, long destinations);
    [DllImport(Library)] internal static extern IntPtr et_squeeze(IntPtr self, long dim, bool hasDim);
    [DllImport(Library)] internal static extern int et_squeeze_(IntPtr self, long dim, bool hasDim);
    [DllImport(Library)] internal static extern IntPtr et_unsqueeze(IntPtr self, long dim);
    [DllImport(Library)] internal static extern int et_unsqueeze_(IntPtr self, long dim);
    [DllImport(Library)] internal static extern IntPtr et_narrow(IntPtr self, long dim, long start, long length);
    [DllImport(Library)] internal static extern IntPtr et_select(IntPtr self, long dim, long index);
    [DllImport(Library)] internal static extern IntPtr et_slice(IntPtr self, long dim, long start, long end, long step);
    [DllImport(Library)] internal static extern IntPtr et_unfold(IntPtr self, long dim, long size, long step);
    [DllImport(Library)] internal static extern IntPtr et_roll(IntPtr self, long* shifts, long shiftCount, long* dims, long dimCount);
    [DllImport(Library)] internal static extern IntPtr et_rot90(IntPtr self, long times, long dim0, long dim1);
    [DllImport(Library)] internal static extern IntPtr et_repeat_interleave(IntPtr self, long repeats, long dim, bool hasDim, long length, bool hasLength);
    [DllImport(Library)] internal static extern IntPtr et_repeat_interleave_by(IntPtr self, IntPtr repeats, long dim, bool hasDim, long length, bool hasLength);
    [DllImport(Library)] internal static extern IntPtr et_diagonal(IntPtr self, long offset, long dim1, long dim2);
    [DllImport(Library)] internal static extern IntPtr et_diag(IntPtr self, long offset);
    [DllImport(Library)] internal static extern IntPtr et_diag_embed(IntPtr self, long offset, long dim1, long dim2);
    [DllImport(Library)] internal static extern IntPtr et_diagflat(IntPtr self, long offset);
    [DllImport(Library)] internal static extern IntPtr et_tril(IntPtr self, long diagonal);
    [DllImport(Library)] internal static extern int et_tril_(IntPtr self, long diagonal);
    [DllImport(Library)] internal static extern IntPtr et_triu(IntPtr self, long diagonal);
    [DllImport(Library)] internal static extern int et_triu_(IntPtr self, long diagonal);
    [DllImport(Library)] internal static extern IntPtr et_cat(IntPtr* list, long count, long dim);
    [DllImport(Library)] internal static extern IntPtr et_stack(IntPtr* list, long count, long dim);
    [DllImport(Library)] internal static extern IntPtr et_hstack(IntPtr* list, long count);
    [DllImport(Library)] internal static extern IntPtr et_vstack(IntPtr* list, long count);
    [DllImport(Library)] internal static extern IntPtr et_block_diag(IntPtr* list, long count);
    [DllImport(Library)] internal static extern int et_chunk(IntPtr self, long chunks, long dim, TensorList* @out);
    [DllImport(Library)] internal static extern int et_split(IntPtr self, long size, long dim, TensorList* @out);
    [DllImport(Library)] internal static extern int et_split_by(IntPtr self, long* size, long count, long dim, TensorList* @out);
    [DllImport(Library)] internal static extern int et_tensor_split(IntPtr self, long sections, long dim, TensorList* @out);
    [DllImport(Library)] internal static extern int et_tensor_split_at(IntPtr self, long* index, long count, long dim, TensorList* @out);
    [DllImport(Library)] internal static extern int et_unbind(IntPtr self, long dim, TensorList* @out);
    [DllImport(Library)] internal static extern int et_meshgrid(IntPtr* list, long count, byte* indexing, TensorList* @out);
    [DllImport(Library)] internal static extern int et_broadcast_tensors(IntPtr* list, long count, TensorList* @out);
}
