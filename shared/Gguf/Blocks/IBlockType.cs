namespace Espalier.Gguf.Blocks;

/// <summary>A way in which GGUF stores weights: a number of neighbouring weights of a row in a number of bytes.</summary>
public interface IBlockType
{
    /// <summary>Name in options: <c>q4_0</c>.</summary>
    string Name { get; }

    /// <summary>One sentence for <c>--help</c>.</summary>
    string Summary { get; }

    /// <summary>Number of the type in the file, ggml's <c>ggml_type</c>.</summary>
    uint Id { get; }

    /// <summary>Number of a file that is mostly of this type, llama.cpp's <c>llama_ftype</c>.</summary>
    uint FileType { get; }

    /// <summary>Weights of a block, all of one row.</summary>
    int BlockSize { get; }

    /// <summary>Bytes of a block.</summary>
    int BlockBytes { get; }

    /// <summary>Stores one block.</summary>
    /// <param name="weights"><see cref="BlockSize"/> weights.</param>
    /// <param name="block"><see cref="BlockBytes"/> bytes.</param>
    void Encode(ReadOnlySpan<float> weights, Span<byte> block);

    /// <summary>The weights that a block stands for.</summary>
    /// <param name="block"><see cref="BlockBytes"/> bytes.</param>
    /// <param name="weights"><see cref="BlockSize"/> weights.</param>
    void Decode(ReadOnlySpan<byte> block, Span<float> weights);
}
