using System.Globalization;

namespace Espalier.Registry.Queries;

/// <summary>Points in time as the database keeps them: ISO 8601 in UTC, so that texts sort as times do.</summary>
internal static class Timestamps
{
    public static string Write(DateTimeOffset time) => time.ToUniversalTime().ToString("O", CultureInfo.InvariantCulture);

    public static DateTimeOffset Read(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
}
