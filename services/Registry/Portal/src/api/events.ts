import { useEffect, useRef, useState } from 'react';
import type { Connection, Wish } from './hub';
import { live } from './live';

export type { Connection };

interface Handlers {
  take: (name: string, data: string) => void;
  /** The stream begins from its start: events of the previous one are repeated. */
  begin?: () => void;
  /** Whether a broken stream has ended for good. */
  hasEnded?: () => Promise<boolean>;
}

/**
 * Events of a path, as they happen. All tabs of a browser have one stream together; where the browser cannot do that, a tab that nobody
 * sees gives its connection back: there are six for one server.
 */
export function useEvents(path: string | null, names: readonly string[], handling: Handlers): Connection {
  const [connection, setConnection] = useState<Connection>('connecting');
  const isSeen = useIsSeen();
  const handlers = useRef(handling);
  handlers.current = handling;
  const key = names.join();
  useEffect(() => {
    if (path === null || !(isSeen || live.isShared)) return;
    setConnection('connecting');
    handlers.current.begin?.();
    const wanted = new Set(key.split(','));
    return live.follow(wishOf(path), {
      take: (name, data) => wanted.has(name) && handlers.current.take(name, data),
      see: setConnection,
      end: () => void handlers.current.hasEnded?.(),
    });
  }, [path, key, isSeen || live.isShared]);
  return connection;
}

/** A run tells from its beginning, the others from now on. */
function wishOf(path: string): Wish {
  if (path === '/api/v1/events') return { topic: 'registry', after: null };
  if (path === '/api/v1/runs/events') return { topic: 'runs', after: null };
  const run = /^\/api\/v1\/runs\/([^/?]+)\/events/.exec(path);
  if (!run) throw new Error(`no events come from ${path}`);
  return { topic: `run.${decodeURIComponent(run[1])}`, after: 0 };
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
