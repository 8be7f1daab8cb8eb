using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;

namespace Espalier.Messaging.Broker;

/// <summary>
/// The broker's definitions file: virtual host, one account per service with only the rights that it needs, the queue of hints that
/// were delivered too often, and as a policy what may be tuned about queues of hints: the broker takes a new value for queues that
/// exist. <c>infra/rabbitmq/definitions.json</c> is this without passwords.
/// </summary>
public static class BrokerDefinitions
{
    /// <summary>Name of the virtual host.</summary>
    public const string VirtualHost = "espalier";

    private const string Events = $@"Espalier\.Contracts:({nameof(StageAdvertised)}|{nameof(StepProgress)})";
    private const string Questions = $@"Espalier\.Contracts:{nameof(FindModel)}";
    private const string RegistryEvents = $@"Espalier\.Contracts:({nameof(ModelRegistered)}|{nameof(AliasMoved)}|{nameof(GateDecided)})";
    private const string Faults = "MassTransit:.*";
    private static readonly JsonSerializerOptions Layout = new()
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Writes the file.</summary>
    /// <param name="passwords">By account; an account without one cannot log in.</param>
    /// <param name="options">Lifetime and deliveries of hints; null for the defaults.</param>
    public static string Write(IReadOnlyDictionary<string, string>? passwords = null, MessagingOptions? options = null) => new JsonObject
    {
        ["vhosts"] = new JsonArray(new JsonObject { ["name"] = VirtualHost }),
        ["users"] = new JsonArray([.. ServiceAccounts.All.Select(a => User(a.Name, passwords?.GetValueOrDefault(a.Name)))]),
        ["permissions"] = new JsonArray([.. ServiceAccounts.All.Select(Rights)]),
        ["policies"] = new JsonArray(HintPolicy(options ?? new MessagingOptions())),
        ["exchanges"] = new JsonArray(new JsonObject
        {
            ["name"] = DeadLetters.Name, ["vhost"] = VirtualHost, ["type"] = DeadLetters.ExchangeType,
            ["durable"] = true, ["auto_delete"] = false, ["internal"] = false, ["arguments"] = new JsonObject(),
        }),
        ["queues"] = new JsonArray(new JsonObject
        {
            ["name"] = DeadLetters.Name, ["vhost"] = VirtualHost, ["durable"] = true, ["auto_delete"] = false,
            ["arguments"] = Arguments(DeadLetters.QueueArguments),
        }),
        ["bindings"] = new JsonArray(new JsonObject
        {
            ["source"] = DeadLetters.Name, ["vhost"] = VirtualHost, ["destination"] = DeadLetters.Name, ["destination_type"] = "queue",
            ["routing_key"] = "", ["arguments"] = Arguments(DeadLetters.BindingArguments),
        }),
    }.ToJsonString(Layout) + "\n";

    private static JsonObject HintPolicy(MessagingOptions options) => new()
    {
        ["vhost"] = VirtualHost, ["name"] = "hints", ["pattern"] = $"^{EndpointNames.WorkPrefix}", ["apply-to"] = "queues", ["priority"] = 0,
        ["definition"] = new JsonObject
        {
            ["delivery-limit"] = options.DeliveryLimit, ["message-ttl"] = (long)options.HintLifetime.TotalMilliseconds,
        },
    };

    private static JsonNode User(string name, string? password) => new JsonObject
    {
        ["name"] = name,
        ["password_hash"] = password is null ? "" : Hash(password),
        ["hashing_algorithm"] = "rabbit_password_hashing_sha256",
        ["tags"] = new JsonArray(),
    };

    /// <summary>
    /// Configure covers what a client declares on its way: its own queues, and the exchanges that it sends to. Only the
    /// orchestrator reads what services report; no account reads another's hints or answers.
    /// </summary>
    private static JsonNode Rights(ServiceAccount account)
    {
        if (account.Name == ServiceAccounts.Orchestrator)
        {
            const string Both = $@"orchestrator(-events|-triggers)?(_error|_skipped)?|{EndpointNames.Registry}|work-.*|estimates-.*|{DeadLetters.Name}"
                + $@"|Espalier\.Contracts:.*|{Faults}|.*_bus_.*";
            return Permission(
                account.Name, Both, Both,
                $@"orchestrator(-events|-triggers)?|.*_(error|skipped)|{DeadLetters.Name}|Espalier\.Contracts:.*|{Faults}|orchestrator_bus_.*");
        }
        var kinds = account.Kinds.Count == 1 ? account.Kinds[0] : $"({string.Join('|', account.Kinds)})";
        var work = $"work-{kinds}-({string.Join('|', DeviceNames.All)})|estimates-{kinds}";
        var own = $"{account.Name}_bus_.*";
        // Workers answer the orchestrator's requests for estimates, on the exchange that it names. MassTransit declares that
        // exchange before it sends, so that writing alone is not enough: no answer arrives without 'configure'.
        var sends = $"({work})(_error|_skipped)?|{EndpointNames.Orchestrator}|{Events}|{Faults}|{own}|{ServiceAccounts.Orchestrator}_bus_.*";
        var reads = $"{work}|{Faults}|{own}";
        if (account.Name == EndpointNames.Registry)
        {
            // The registry answers the orchestrator's questions and publishes what was registered.
            sends += $@"|{EndpointNames.Registry}(_error|_skipped)?|{Questions}|{RegistryEvents}";
            reads += $"|{EndpointNames.Registry}|{Questions}";
        }
        return Permission(account.Name, sends, $"{sends}|{DeadLetters.Name}", reads);
    }

    private static JsonObject Permission(string user, string configure, string write, string read) => new()
    {
        ["user"] = user, ["vhost"] = VirtualHost, ["configure"] = $"^({configure})$", ["write"] = $"^({write})$", ["read"] = $"^({read})$",
    };

    private static JsonObject Arguments(IReadOnlyDictionary<string, object?> arguments) =>
        new(arguments.Select(a => KeyValuePair.Create(a.Key, JsonSerializer.SerializeToNode(a.Value))));

    /// <summary>Salt, then SHA-256 of salt and password, as the broker keeps it.</summary>
    private static string Hash(string password)
    {
        var salt = RandomNumberGenerator.GetBytes(4);
        return Convert.ToBase64String([.. salt, .. SHA256.HashData([.. salt, .. Encoding.UTF8.GetBytes(password)])]);
    }
}
