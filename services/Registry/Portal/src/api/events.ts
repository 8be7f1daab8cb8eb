import { useEffect, useRef, useState } from 'react';

export type Connection = 'connecting' | 'live' | 'broken';

/**
 * Server-sent events of a path. The browser comes back by itself and asks for what it missed; a stream that has ended for good
 * is closed when `hasEnded` says so.
 */
export function useEvents(path: string | null, names: readonly string[], take: (name: string, data: string) => void, hasEnded?: () => Promise<boolean>): Connection {
  const [connection, setConnection] = useState<Connection>('connecting');
  const handlers = useRef({ take, hasEnded });
  handlers.current = { take, hasEnded };
  const key = names.join();
  useEffect(() => {
    if (path === null) return;
    const source = new EventSource(path);
    source.onopen = () => setConnection('live');
    source.onerror = () => {
      setConnection('broken');
      void handlers.current.hasEnded?.().then((ended) => ended && source.close());
    };
    for (const name of key.split(',')) source.addEventListener(name, (event) => handlers.current.take(name, (event as MessageEvent<string>).data));
    return () => source.close();
  }, [path, key]);
  return connection;
}

/** Calls back soon after the last of several wishes, so that a burst of events reads once. */
export function useSoon(work: () => void, milliseconds = 60): () => void {
  const timer = useRef<number | undefined>(undefined);
  const latest = useRef(work);
  latest.current = work;
  useEffect(() => () => window.clearTimeout(timer.current), []);
  return () => {
    timer.current ??= window.setTimeout(() => {
      timer.current = undefined;
      latest.current();
    }, milliseconds);
  };
}
