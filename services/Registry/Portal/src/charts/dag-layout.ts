/** What is laid out: a name and the names of what must stand before it. */
export interface DagItem {
  name: string;
  needs: readonly string[];
}

export interface DagLayout {
  width: number;
  height: number;
  /** Upper left corners by name. */
  places: ReadonlyMap<string, { x: number; y: number }>;
  edges: { from: string; to: string; path: string }[];
}

export const nodeSize = { width: 148, height: 54 };

const lane = 10;
const gap = { right: { along: 32, across: 16 }, down: { along: 26, across: 16 } };
const margin = 4;

/** A node, or the lane of a long edge between two nodes of its column. */
interface Slot {
  item?: DagItem;
  size: number;
  before: string[];
  after: string[];
  rank: number;
  /** Middle, across the way. */
  middle: number;
}

/**
 * Columns by the longest way from a root. A long edge has a lane of its own in every column that it passes, shared by all edges
 * from the same node. Within a column the order is by the middle of the neighbours, a few times back and forth.
 */
export function layOut(items: readonly DagItem[], isDown: boolean): DagLayout {
  const slots = makeSlots(items, isDown);
  const columns: string[][] = [];
  for (const [key, slot] of slots) (columns[slot.rank] ??= []).push(key);
  order(columns, slots);
  const extent = place(columns, slots, isDown ? gap.down.across : gap.right.across);
  const along = (rank: number) => margin + rank * (isDown ? nodeSize.height + gap.down.along : nodeSize.width + gap.right.along);
  const length = isDown ? nodeSize.height : nodeSize.width;
  const places = new Map<string, { x: number; y: number }>();
  for (const slot of slots.values()) {
    if (!slot.item) continue;
    const [way, side] = [along(slot.rank), slot.middle - slot.size / 2];
    places.set(slot.item.name, isDown ? { x: side, y: way } : { x: way, y: side });
  }
  const edges = items.flatMap((item) =>
    item.needs.filter((need) => slots.has(need)).map((need) => {
      const [from, to] = [slots.get(need)!, slots.get(item.name)!];
      const stops = [from, ...Array.from({ length: to.rank - from.rank - 1 }, (_, i) => slots.get(laneOf(need, from.rank + 1 + i))!), to];
      const at = (way: number, side: number) => (isDown ? `${side} ${way}` : `${way} ${side}`);
      let path = `M${at(along(from.rank) + length, from.middle)}`;
      for (let i = 1; i < stops.length; i++) {
        const [a, b] = [stops[i - 1], stops[i]];
        const [start, end] = [along(a.rank) + length, along(b.rank)];
        const bend = (end - start) / 2;
        path += `C${at(start + bend, a.middle)} ${at(end - bend, b.middle)} ${at(end, b.middle)}`;
        if (!b.item) path += `L${at(end + length, b.middle)}`;
      }
      return { from: need, to: item.name, path };
    }),
  );
  const [wide, high] = [along(columns.length - 1) + length + margin, extent + margin];
  return { width: isDown ? high : wide, height: isDown ? wide : high, places, edges };
}

const laneOf = (name: string, rank: number) => `${name} ${rank}`;

function makeSlots(items: readonly DagItem[], isDown: boolean): Map<string, Slot> {
  const byName = new Map(items.map((item) => [item.name, item]));
  const ranks = new Map<string, number>();
  const rankOf = (item: DagItem): number => {
    const known = ranks.get(item.name);
    if (known !== undefined) return known;
    ranks.set(item.name, 0); // a circle ends here
    const rank = Math.max(-1, ...item.needs.flatMap((need) => (byName.has(need) ? [rankOf(byName.get(need)!)] : []))) + 1;
    ranks.set(item.name, rank);
    return rank;
  };
  const size = isDown ? nodeSize.width : nodeSize.height;
  const slots = new Map<string, Slot>(items.map((item) => [item.name, { item, size, before: [], after: [], rank: rankOf(item), middle: 0 }]));
  for (const item of items)
    for (const need of item.needs) {
      const from = slots.get(need);
      if (!from) continue;
      const to = slots.get(item.name)!;
      let last = need;
      for (let rank = from.rank + 1; rank <= to.rank; rank++) {
        const next = rank === to.rank ? item.name : laneOf(need, rank);
        if (!slots.has(next)) slots.set(next, { size: lane, before: [], after: [], rank, middle: 0 });
        if (!slots.get(next)!.before.includes(last)) {
          slots.get(next)!.before.push(last);
          slots.get(last)!.after.push(next);
        }
        last = next;
      }
    }
  return slots;
}

/** Sorts every column by where its neighbours stand. */
function order(columns: string[][], slots: ReadonlyMap<string, Slot>) {
  const row = new Map<string, number>();
  const number = (column: string[]) => column.forEach((key, i) => row.set(key, i - (column.length - 1) / 2));
  columns.forEach(number);
  for (let round = 0; round < 9; round++) {
    const isForward = round % 2 === 0;
    for (const column of isForward ? columns : [...columns].reverse()) {
      const wish = new Map(column.map((key) => [key, mean((isForward ? slots.get(key)!.before : slots.get(key)!.after).map((near) => row.get(near)!)) ?? row.get(key)!]));
      column.sort((a, b) => wish.get(a)! - wish.get(b)!);
      number(column);
    }
  }
}

/** Moves every slot towards its neighbours as far as its column's order lets it; the extent of all. */
function place(columns: string[][], slots: ReadonlyMap<string, Slot>, space: number): number {
  for (const column of columns) {
    let at = 0;
    for (const key of column) {
      const slot = slots.get(key)!;
      slot.middle = at + slot.size / 2;
      at += slot.size + space;
    }
  }
  for (let round = 0; round < 12; round++) {
    for (const column of round % 2 === 0 ? columns : [...columns].reverse()) {
      const all = column.map((key) => slots.get(key)!);
      const wishes = all.map((slot) => mean([...slot.before, ...slot.after].map((near) => slots.get(near)!.middle)) ?? slot.middle);
      const least = (i: number) => (all[i].size + all[i - 1].size) / 2 + space;
      const down = [...wishes];
      for (let i = 1; i < all.length; i++) down[i] = Math.max(down[i], down[i - 1] + least(i));
      const up = [...wishes];
      for (let i = all.length - 2; i >= 0; i--) up[i] = Math.min(up[i], up[i + 1] - least(i + 1));
      // Both keep the distances, and so does what lies between them.
      all.forEach((slot, i) => (slot.middle = (down[i] + up[i]) / 2));
    }
  }
  const first = Math.min(...[...slots.values()].map((slot) => slot.middle - slot.size / 2));
  for (const slot of slots.values()) slot.middle = Math.round(slot.middle - first + margin);
  return Math.max(0, ...[...slots.values()].map((slot) => slot.middle + slot.size / 2));
}

const mean = (values: number[]) => (values.length > 0 ? values.reduce((a, b) => a + b, 0) / values.length : undefined);
