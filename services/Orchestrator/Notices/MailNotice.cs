using MailKit.Net.Smtp;
using MailKit.Security;
using MimeKit;

namespace Espalier.Orchestrator.Notices;

/// <summary>
/// Tells by mail, over the SMTP server of the settings <c>smtp:host</c>, <c>port</c> (587), <c>from</c>, <c>user</c>, <c>password</c> and
/// <c>security</c> (<c>start-tls</c>, <c>tls</c>, or <c>none</c> for a server on this machine).
/// </summary>
internal sealed class MailNotice(IConfiguration configuration)
{
    private const int UsualPort = 587, Limit = 20_000;

    /// <summary>Sends one.</summary>
    /// <exception cref="NoticeRefusedException">The settings make no sense.</exception>
    public async Task SendAsync(NoticeRow notice, MailTarget target, CancellationToken cancellationToken)
    {
        var smtp = configuration.GetSection("smtp");
        if (smtp["host"] is not { Length: > 0 } host || !MailboxAddress.TryParse(smtp["from"], out var from))
            throw new NoticeRefusedException("Mail needs smtp:host and smtp:from of the orchestrator.");
        if (!InternetAddressList.TryParse(target.To, out var to))
            throw new NoticeRefusedException($"notify:{notice.Target}:to is no mail address.");
        using var message = new MimeMessage([from], to, $"[espalier] {notice.Title}", new TextPart("plain") { Text = notice.Text });
        message.MessageId = $"run-{notice.RunId}.notice-{notice.Id}@{from.Domain}"; // the same each time that it is sent: mail programs show it once
        using var client = new SmtpClient { Timeout = Limit };
        await client.ConnectAsync(host, smtp.GetValue("port", UsualPort), SecurityOf(smtp["security"]), cancellationToken).ConfigureAwait(false);
        if (smtp["user"] is { Length: > 0 } user)
            await client.AuthenticateAsync(user, smtp["password"] ?? "", cancellationToken).ConfigureAwait(false);
        await client.SendAsync(message, cancellationToken).ConfigureAwait(false);
        await client.DisconnectAsync(quit: true, cancellationToken).ConfigureAwait(false);
    }

    private static SecureSocketOptions SecurityOf(string? text) => (text ?? "start-tls") switch
    {
        "start-tls" => SecureSocketOptions.StartTls,
        "tls" => SecureSocketOptions.SslOnConnect,
        "none" => SecureSocketOptions.None,
        _ => throw new NoticeRefusedException("smtp:security must be start-tls, tls or none."),
    };
}
