import { useEffect, useRef, useState } from 'react';

export type Connection = 'connecting' | 'live' | 'broken';

interface Handlers {
  take: (name: string, data: string) => void;
  /** The stream begins from its start: events of the previous one are repeated. */
  begin?: () => void;
  /** Whether a broken stream has ended for good. */
  hasEnded?: () => Promise<boolean>;
}

/**
 * Server-sent events of a path. The browser comes back by itself and asks for what it missed; a stream that has ended for good
 * is closed. A tab that nobody sees gives its connection back: a browser has six for one server, and every tab takes one.
 */
export function useEvents(path: string | null, names: readonly string[], handling: Handlers): Connection {
  const [connection, setConnection] = useState<Connection>('connecting');
  const isSeen = useIsSeen();
  const handlers = useRef(handling);
  handlers.current = handling;
  const key = names.join();
  useEffect(() => {
    if (path === null || !isSeen) return;
    setConnection('connecting');
    handlers.current.begin?.();
    const source = new EventSource(path);
    source.onopen = () => setConnection('live');
    source.onerror = () => {
      setConnection('broken');
      void handlers.current.hasEnded?.().then((ended) => ended && source.close());
    };
    for (const name of key.split(',')) source.addEventListener(name, (event) => handlers.current.take(name, (event as MessageEvent<string>).data));
    return () => source.close();
  }, [path, key, isSeen]);
  return connection;
}

const hiddenFor = 5000;

/** Whether somebody may see this tab; a short look elsewhere does not count. */
function useIsSeen(): boolean {
  const [isSeen, setIsSeen] = useState(!document.hidden);
  useEffect(() => {
    let timer: number | undefined;
    const look = () => {
      window.clearTimeout(timer);
      if (document.hidden) timer = window.setTimeout(() => setIsSeen(false), hiddenFor);
      else setIsSeen(true);
    };
    document.addEventListener('visibilitychange', look);
    return () => {
      window.clearTimeout(timer);
      document.removeEventListener('visibilitychange', look);
    };
  }, []);
  return isSeen;
}

/** Reads again when the registry tells of a version or an alias, of one model or of any; and when the stream begins, for what came before it. */
export function useRegistryNews(reload: () => void, model?: string): Connection {
  const soon = useSoon(reload);
  const connection = useEvents('/api/v1/events', ['model.registered', 'alias.moved'], {
    take: (_, data) => (model === undefined || (JSON.parse(data) as { model?: string }).model === model) && soon(),
  });
  useEffect(() => {
    if (connection === 'live') soon();
  }, [connection]);
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
