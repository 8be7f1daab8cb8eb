// The worker that all tabs of a browser share: it has the only stream of events. See live.ts for the other end.
import { Hub, type Wish } from './hub';

export type Asked = { kind: 'follow'; key: number; wish: Wish } | { kind: 'leave'; key: number } | { kind: 'restart' };
export type Told = { key: number } & ({ kind: 'take'; name: string; data: string } | { kind: 'see'; connection: 'connecting' | 'live' | 'broken' } | { kind: 'end' });

const hub = new Hub();

addEventListener('connect', (connected) => {
  const port = (connected as MessageEvent).ports[0];
  const leave = new Map<number, () => void>();
  const tell = (told: Told) => port.postMessage(told);
  port.onmessage = ({ data }: MessageEvent<Asked>) => {
    if (data.kind === 'restart') return hub.restart();
    leave.get(data.key)?.();
    leave.delete(data.key);
    if (data.kind === 'leave') return;
    const { key } = data;
    leave.set(
      key,
      hub.follow(data.wish, {
        take: (name, text) => tell({ key, kind: 'take', name, data: text }),
        see: (connection) => tell({ key, kind: 'see', connection }),
        end: () => tell({ key, kind: 'end' }),
      }),
    );
  };
  // A tab that is gone without a word, as one that crashed.
  port.addEventListener('close', () => leave.forEach((each) => each()));
});
