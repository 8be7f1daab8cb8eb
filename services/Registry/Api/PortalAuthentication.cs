using Espalier.Registry.Api.Oidc;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.DataProtection;

namespace Espalier.Registry.Api;

/// <summary>Cookie authentication for sessions, and OpenID Connect where the settings name an issuer.</summary>
internal static class PortalAuthentication
{
    private const int RenewalsPerLifetime = 10;

    public static IServiceCollection AddPortalAuthentication(this IServiceCollection services)
    {
        services.AddSingleton<PortalSessionStore>();
        services.AddAuthentication(PortalSession.Scheme).AddCookie(PortalSession.Scheme).AddOpenIdConnect(OidcSignIn.Scheme, _ => { });
        services.AddOptions<CookieAuthenticationOptions>(PortalSession.Scheme).Configure<PortalOptions, PortalSessionStore>(Configure);
        services.AddOptions<OpenIdConnectOptions>(OidcSignIn.Scheme).Configure<PortalOptions>(OidcSignIn.Configure);
        // Sessions and sign-ins under way end with the process, and so may the keys that encrypt their cookies.
        services.AddDataProtection().UseEphemeralDataProtectionProvider();
        return services;
    }

    public static void UsePortalAuthentication(this WebApplication app, PortalOptions options)
    {
        if (!options.Oidc.IsOn)
            app.Services.GetRequiredService<IAuthenticationSchemeProvider>().RemoveScheme(OidcSignIn.Scheme);
        app.UseAuthentication();
        app.UseMiddleware<PortalSessionMiddleware>();
    }

    /// <summary>No script reads the cookie, and no other site sends it.</summary>
    private static void Configure(CookieAuthenticationOptions cookie, PortalOptions options, PortalSessionStore store)
    {
        cookie.Cookie.Name = PortalSession.Scheme;
        cookie.Cookie.Path = "/";
        cookie.Cookie.HttpOnly = true;
        cookie.Cookie.SameSite = SameSiteMode.Strict;
        cookie.Cookie.SecurePolicy = options.CookieSecurity;
        cookie.SessionStore = store;
        cookie.ExpireTimeSpan = options.SessionIdle;
        cookie.SlidingExpiration = true;
        // By default a session is extended in the second half of its life only, and could end after half the idle time.
        cookie.Events.OnCheckSlidingExpiration = context =>
        {
            context.ShouldRenew = context.ElapsedTime > options.SessionIdle / RenewalsPerLifetime;
            return Task.CompletedTask;
        };
    }
}
