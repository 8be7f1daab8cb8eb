import { useCallback, useEffect, useRef, useState } from 'react';
import type { Answer, Method, Path, Place, Sent } from './place';

/** An answer that is not what was asked for, with the server's own words. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly body: Record<string, unknown> = {},
  ) {
    super(message);
  }
}

let onSignedOut = () => {};

/** Called when the server no longer knows who we are. */
export const whenSignedOut = (then: () => void) => {
  onSignedOut = then;
};

/** Sends a request, and reads what it answers. */
export const send = <M extends Exclude<Method, 'get'>, P extends Path>(method: M, place: Place<P>, body?: Sent<M, P>, signal?: AbortSignal) =>
  ask<Answer<M, P>>(method.toUpperCase(), place.url, body, signal);

export const get = <P extends Path>(place: Place<P>, signal?: AbortSignal) => ask<Answer<'get', P>>('GET', place.url, undefined, signal);

/** Reads JSON that no document describes, because a stage or a test wrote it. */
export const getFile = <T>(path: string, signal?: AbortSignal) => ask<T>('GET', path, undefined, signal);

async function ask<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const isText = typeof body === 'string';
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      signal,
      headers: { 'X-Espalier-Request': '1', Accept: 'application/json', ...(body === undefined ? {} : { 'Content-Type': isText ? 'application/yaml' : 'application/json' }) },
      body: body === undefined ? undefined : isText ? body : JSON.stringify(body),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, 'The server does not answer. Check that it is running: espalier status');
  }
  if (answer.ok) return (answer.status === 204 ? undefined : await answer.json()) as T;
  const problem = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  if (answer.status === 401 && path !== '/api/v1/session') onSignedOut();
  throw new ApiError(answer.status, String(problem.detail ?? problem.title ?? `The server answered ${answer.status} ${answer.statusText}.`), problem);
}

export interface Resource<T> {
  data?: T;
  error?: ApiError;
  reload: () => void;
}

/** Reads a place and keeps the last answer while it reads again. Null reads nothing. */
export const useResource = <P extends Path>(place: Place<P> | null): Resource<Answer<'get', P>> => useFile<Answer<'get', P>>(place?.url ?? null);

/** The same for JSON that no document describes. */
export function useFile<T>(path: string | null): Resource<T> {
  const [state, setState] = useState<{ path: string | null; data?: T; error?: ApiError }>({ path });
  const [round, setRound] = useState(0);
  const wanted = useRef(path);
  wanted.current = path;
  useEffect(() => {
    if (path === null) return;
    const abort = new AbortController();
    getFile<T>(path, abort.signal).then(
      (data) => setState({ path, data }),
      (error) => {
        if (!abort.signal.aborted) setState((old) => ({ path, data: old.path === path ? old.data : undefined, error: error as ApiError }));
      },
    );
    return () => abort.abort();
  }, [path, round]);
  const reload = useCallback(() => setRound((r) => r + 1), []);
  return state.path === path ? { data: state.data, error: state.error, reload } : { reload };
}

/** Something that a person asked for, with its own waiting and failing. */
export function useAction(): { run: (work: () => Promise<void>) => Promise<void>; busy: boolean; error?: ApiError; clear: () => void } {
  const [state, setState] = useState<{ busy: boolean; error?: ApiError }>({ busy: false });
  const run = useCallback(async (work: () => Promise<void>) => {
    setState({ busy: true });
    try {
      await work();
      setState({ busy: false });
    } catch (error) {
      setState({ busy: false, error: error as ApiError });
    }
  }, []);
  return { run, busy: state.busy, error: state.error, clear: useCallback(() => setState({ busy: false }), []) };
}
