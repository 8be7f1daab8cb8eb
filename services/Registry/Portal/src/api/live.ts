import { type Follower, Hub, type Wish } from './hub';
import type { Asked, Told } from './live-worker';
import address from './live-worker.ts?sharedworker&url';

export interface Live {
  follow: (wish: Wish, follower: Follower) => () => void;
  /** Who is signed in has changed. */
  restart: () => void;
  /** Whether all tabs have one stream; without it each has its own, and a tab that nobody sees should leave. */
  isShared: boolean;
}

/** What this browser follows: by a worker that all its tabs share, or by itself where there are no such workers. */
export const live: Live = shared() ?? alone();

function alone(): Live {
  const hub = new Hub();
  return { follow: (wish, follower) => hub.follow(wish, follower), restart: () => hub.restart(), isShared: false };
}

function shared(): Live | undefined {
  if (typeof SharedWorker === 'undefined') return undefined;
  let port: MessagePort;
  try {
    port = new SharedWorker(trusted(address), { type: 'module', name: 'espalier' }).port;
  } catch {
    return undefined;
  }
  const followers = new Map<number, { wish: Wish; follower: Follower }>();
  const ask = (asked: Asked) => port.postMessage(asked);
  port.onmessage = ({ data }: MessageEvent<Told>) => {
    const { follower } = followers.get(data.key) ?? {};
    if (data.kind === 'take') follower?.take(data.name, data.data);
    else if (data.kind === 'see') follower?.see(data.connection);
    else follower?.end();
  };
  // A page that the browser keeps for the way back is not told of anything meanwhile, and begins anew.
  addEventListener('pagehide', () => followers.forEach((_, key) => ask({ kind: 'leave', key })));
  addEventListener('pageshow', (event) => event.persisted && location.reload());
  let next = 0;
  return {
    follow: (wish, follower) => {
      const key = next++;
      followers.set(key, { wish, follower });
      ask({ kind: 'follow', key, wish });
      return () => {
        followers.delete(key);
        ask({ kind: 'leave', key });
      };
    },
    restart: () => ask({ kind: 'restart' }),
    isShared: true,
  };
}

/** The server allows one policy of this name, and it makes one address: nothing else of a page can start a worker. */
function trusted(script: string): string {
  const { trustedTypes } = window as { trustedTypes?: { createPolicy: (name: string, rules: { createScriptURL: () => string }) => { createScriptURL: (text: string) => string } } };
  return trustedTypes ? trustedTypes.createPolicy('espalier-worker', { createScriptURL: () => script }).createScriptURL('') : script;
}
