export type Connection = 'connecting' | 'live' | 'broken';

/** What somebody follows: `registry`, `runs` or `run.ID`. */
export interface Wish {
  topic: string;
  /** Reads from here on; null begins now. */
  after: number | null;
}

export interface Follower {
  take: (name: string, data: string) => void;
  see: (connection: Connection) => void;
  /** The topic has no more events. */
  end: () => void;
}

interface Following extends Wish, Follower {
  connection?: Connection;
  hasEnded?: boolean;
}

interface LiveEvent {
  topic: string;
  name: string;
  data: string;
  id?: number | null;
}

const mostTopics = 32;
const retry = 2000;

/**
 * One stream of events for all that is followed. When that changes, another stream goes on from the positions of this one: nothing is
 * missed, and what a follower has read is not told again.
 */
export class Hub {
  private readonly all = new Set<Following>();
  private source: EventSource | undefined;
  private topics = '';
  private timer: ReturnType<typeof setTimeout> | undefined;

  follow(wish: Wish, follower: Follower): () => void {
    const following = { ...wish, ...follower };
    this.all.add(following);
    this.lookIn(20);
    return () => {
      this.all.delete(following);
      this.lookIn(500);
    };
  }

  /** Asks anew, as when somebody else has signed in. */
  restart() {
    this.topics = '';
    this.lookIn(20);
  }

  private lookIn(milliseconds: number) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), milliseconds);
  }

  private look() {
    const wanted = [...new Set(this.active().map((each) => each.topic))].slice(-mostTopics).sort();
    const added = this.active().filter((each) => each.connection === undefined);
    if (wanted.join() !== this.topics || added.some((each) => each.after !== null)) this.open(wanted);
    for (const each of added) this.say(each, this.active().some((other) => other.topic === each.topic && other.connection === 'live') ? 'live' : 'connecting');
  }

  private open(wanted: string[]) {
    this.source?.close();
    this.topics = wanted.join();
    if (wanted.length === 0) return;
    const source = new EventSource(`/api/v1/live?${wanted.map((topic) => `topic=${encodeURIComponent(`${topic}:${this.positionOf(topic)}`)}`).join('&')}`);
    this.source = source;
    source.onmessage = (message: MessageEvent<string>) => this.take(JSON.parse(message.data) as LiveEvent);
    source.onerror = () => {
      // The browser itself would ask for what this stream began with: the positions have moved on.
      source.close();
      if (this.source === source) this.lose(this.active());
    };
  }

  private take(event: LiveEvent) {
    const followers = this.active().filter((each) => each.topic === event.topic);
    if (event.name === 'lost') this.lose(followers);
    else if (event.name === 'end') followers.forEach((each) => this.end(each));
    else followers.forEach((each) => this.tell(each, event));
  }

  private tell(each: Following, { name, data, id }: LiveEvent) {
    this.say(each, 'live');
    if (id != null) {
      if (name !== 'tick' && each.after !== null && id <= each.after) return;
      each.after = Math.max(id, each.after ?? 0);
    }
    each.take(name, data);
  }

  private end(each: Following) {
    each.hasEnded = true;
    each.end();
  }

  private lose(followers: Following[]) {
    if (followers.length === 0) return;
    followers.forEach((each) => this.say(each, 'broken'));
    this.topics = '';
    this.lookIn(retry);
  }

  private say(each: Following, connection: Connection) {
    if (each.connection === connection) return;
    each.connection = connection;
    each.see(connection);
  }

  private active() {
    return [...this.all].filter((each) => !each.hasEnded);
  }

  /** Where all followers of a topic have come to; nothing where that is not known yet. */
  private positionOf(topic: string): number | '' {
    const known = this.active().flatMap((each) => (each.topic === topic && each.after !== null ? [each.after] : []));
    return known.length > 0 ? Math.min(...known) : '';
  }
}
