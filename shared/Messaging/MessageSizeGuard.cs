using Espalier.Contracts;
using MassTransit;

namespace Espalier.Messaging;

/// <summary>
/// Refuses to send a message of more than <see cref="MessageLimits.MostBytes"/>, in whatever process: the broker is for
/// small messages, what is larger travels by the artifact store.
/// </summary>
internal sealed class MessageSizeGuard : ISendObserver, IPublishObserver
{
    /// <summary>The envelope around the message: addresses, ids, host; about 1 KiB.</summary>
    private const int EnvelopeBytes = 4 << 10;

    public Task PreSend<T>(SendContext<T> context) where T : class => CheckAsync(context);

    public Task PostSend<T>(SendContext<T> context) where T : class => Task.CompletedTask;

    public Task SendFault<T>(SendContext<T> context, Exception exception) where T : class => Task.CompletedTask;

    public Task PrePublish<T>(PublishContext<T> context) where T : class => CheckAsync(context);

    public Task PostPublish<T>(PublishContext<T> context) where T : class => Task.CompletedTask;

    public Task PublishFault<T>(PublishContext<T> context, Exception exception) where T : class => Task.CompletedTask;

    private static Task CheckAsync<T>(SendContext<T> context) where T : class
    {
        // A fault quotes the message that caused it; that one passed here itself.
        if (typeof(T).Namespace != typeof(MessageLimits).Namespace)
            return Task.CompletedTask;
        return context.Serializer.GetMessageBody(context).GetBytes().Length is var bytes && bytes > MessageLimits.MostBytes + EnvelopeBytes
            ? Task.FromException(
                new MessageTooLargeException(
                    $"A message {typeof(T).Name} of {bytes} bytes is not sent: {MessageLimits.MostBytes} is the most. What is larger "
                        + $"belongs in the artifact store."))
            : Task.CompletedTask;
    }
}

/// <summary>A message exceeds the size limit.</summary>
public sealed class MessageTooLargeException(string message) : MassTransitException(message);
