namespace Espalier.Orchestrator.Notices;

/// <summary>
/// Who is told, by the names that pipelines use: the settings <c>notify:NAME:*</c>, in the environment <c>ESPALIER__NOTIFY__NAME__*</c> with
/// underscores for hyphens. Addresses and passwords are in no pipeline, answer or log.
/// </summary>
internal sealed class NoticeTargets(IConfiguration configuration)
{
    private const string Section = "notify";

    /// <summary>The one of a name, or null when nobody has set it.</summary>
    /// <exception cref="NoticeRefusedException">It is set, and makes no sense.</exception>
    public NoticeTarget? Find(string name)
    {
        if (SettingsOf(name) is not { } settings)
            return null;
        if (settings["to"] is { Length: > 0 } to)
            return new MailTarget(to);
        if (!Uri.TryCreate(settings["url"], UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
            throw new NoticeRefusedException($"{Section}:{name} has neither 'to' nor an http(s) 'url'.");
        return (settings["format"] ?? "event") switch
        {
            "event" => new HttpTarget(url, IsSlack: false, settings["secret"]),
            "slack" => new HttpTarget(url, IsSlack: true, null),
            _ => throw new NoticeRefusedException($"{Section}:{name}:format must be event or slack."),
        };
    }

    /// <summary>Whether somebody has set it.</summary>
    public bool Exists(string name) => SettingsOf(name) is not null;

    /// <summary>How to set one.</summary>
    public static string Remedy(string name) =>
        $"There is no recipient '{name}': an administrator sets {Section}:{name}:to (a mail address) or {Section}:{name}:url of the orchestrator.";

    private IConfigurationSection? SettingsOf(string name) =>
        new[] { name, name.Replace('-', '_') }.Select(n => configuration.GetSection($"{Section}:{n}")).FirstOrDefault(s => s.Exists());
}

/// <summary>How somebody is told.</summary>
internal abstract record NoticeTarget;

/// <summary>By mail.</summary>
/// <param name="To">The address, or several with commas between them.</param>
internal sealed record MailTarget(string To) : NoticeTarget;

/// <summary>By a request.</summary>
/// <param name="Url">Where to.</param>
/// <param name="IsSlack">Whether the body is <c>{"text": ...}</c>, as chat programs take it; else it says everything.</param>
/// <param name="Secret">What signs the request; null for no signature.</param>
internal sealed record HttpTarget(Uri Url, bool IsSlack, string? Secret) : NoticeTarget;

/// <summary>A notice will never be sent, however often it is tried.</summary>
internal sealed class NoticeRefusedException(string message) : Exception(message);
