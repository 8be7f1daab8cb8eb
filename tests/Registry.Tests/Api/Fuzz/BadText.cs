using CsCheck;

namespace Espalier.Registry.Tests.Api.Fuzz;

/// <summary>Texts that break readers: what databases, JSON, SQL, patterns, paths and numbers each have trouble with.</summary>
internal static class BadText
{
    private static readonly string[] Known =
    [
        "", " ", "\0", "a\0b", "\ud800", "\udfff", "x\udc00y", "\ud83d", "\ufeff", "\uffff", "\u202e", "\u0001\u001f\u007f", "\r\n", "\t", "é\u0301", "😀",
        "'", "\"", "`", "\\", "''", "' or 1=1 --", "\"; drop table registry_model; --", "%", "_", "!", "!%", "$1", "@p0", "{0}", "{{", "${x}", "<script>",
        "../..", "..\\", "/etc/passwd", "%00", "%2e%2e", "a/b", "a b", "a@b", "@", ":", "?", "#", "&=", "*", "(", "((((((((", "[", "]]",
        "-1", "0", "1e999", "-1e999", "NaN", "Infinity", "9223372036854775808", "2147483648", "0x10", "1_000", "1.5", "٣", "true", "null", "[]", "{}",
        "loss <", "loss < 1e999", "not not not", "loss < current.loss", "order by", "model ~ \"", "tag. = 1", "params.active < 2Q", "created < 9999999",
        "name = '", "tags.`a\"b` = 'x'", "name LIKE '%!", "name IN ()", "a AND", "v.name = 1", "name asc asc", "name; desc",
        "2026-13-45", "24h", "-5d", "99999999999999d", "espalier:/sha256/", "models:/demo/1", "models:/demo@", "Zg==", "====", "\u001f",
        new('0', 64), "https://", "http://[::1", "http://a:b@c/", "http://\ud800/", "-----BEGIN PUBLIC KEY-----",
    ];

    private static readonly Gen<string> Any = Gen.Char.Array[0, 40].Select(chars => new string(chars));

    /// <summary>Long, and of characters that no compression shortens: an index entry has a limit.</summary>
    private static readonly Gen<string> Long =
        Gen.Select(Gen.Int[500, 5000], Gen.Int).Select((length, seed) =>
        {
            var random = new Random(seed);
            return new string([.. Enumerable.Range(0, length).Select(_ => (char)random.Next(0x3000, 0xD7FF))]);
        });

    /// <summary>One of them, or something random.</summary>
    public static Gen<string> Generate { get; } = Gen.Frequency((6, Gen.OneOf(Known)), (3, Any), (1, Long));
}
