import { type KeyboardEvent, useMemo } from 'react';

export interface DagNode {
  name: string;
  needs: readonly string[];
  lines: [string, string];
  state: string;
  /** 0 to 1, or undefined when it is not running. */
  share?: number;
  isMinor?: boolean;
}

interface Placed extends DagNode {
  x: number;
  y: number;
}

const size = { width: 172, height: 54, gapX: 52, gapY: 16 };

/** Steps from left to right, or downwards, each behind what it needs. Arrow keys walk along the edges. */
export function Dag({ nodes, selected, onSelect, isDown = false }: { nodes: DagNode[]; selected?: string; onSelect?: (name: string) => void; isDown?: boolean }) {
  const { placed, width, height } = useMemo(() => layOut(nodes, isDown), [nodes, isDown]);
  const byName = new Map(placed.map((node) => [node.name, node]));
  const press = (event: KeyboardEvent, node: Placed) => {
    const next =
      event.key === 'ArrowLeft' ? byName.get(node.needs.find((n) => byName.has(n)) ?? '')
      : event.key === 'ArrowRight' ? placed.find((other) => other.needs.includes(node.name))
      : event.key === 'ArrowDown' ? closest(placed, node, 1)
      : event.key === 'ArrowUp' ? closest(placed, node, -1)
      : undefined;
    if (event.key === 'Enter' || event.key === ' ') onSelect?.(node.name);
    else if (!next) return;
    event.preventDefault();
    if (next) {
      onSelect?.(next.name);
      document.getElementById(`step-${next.name}`)?.focus();
    }
  };
  return (
    <div className="scroll dag">
      <svg width={width} height={height} role="group" aria-label="Steps and what they need">
        {placed.flatMap((node) =>
          node.needs.map((need) => {
            const from = byName.get(need);
            if (!from) return null;
            return <path key={`${need} ${node.name}`} className={`edge ${selected === need || selected === node.name ? 'near' : ''}`} d={edge(from, node, isDown)} />;
          }),
        )}
        {placed.map((node) => (
          <g
            key={node.name}
            id={`step-${node.name}`}
            transform={`translate(${node.x} ${node.y})`}
            className={`node ${node.state} ${node.isMinor ? 'minor' : ''} ${selected === node.name ? 'selected' : ''}`}
            tabIndex={onSelect ? 0 : undefined}
            role={onSelect ? 'button' : undefined}
            aria-pressed={onSelect ? selected === node.name : undefined}
            aria-label={`${node.name}, ${node.lines.join(', ')}`}
            data-state={node.state}
            onClick={() => onSelect?.(node.name)}
            onKeyDown={(event) => press(event, node)}
          >
            <rect className="plate" width={size.width} height={size.height} rx={7} />
            <rect className="stripe" x={5} y={10} width={3} height={size.height - 20} rx={1.5} />
            <text className="title" x={17} y={22}>
              {cut(node.name, 20)}
            </text>
            <text className="sub" x={17} y={40}>
              {cut(node.lines[0], 14)}
            </text>
            <text className="sub end" x={size.width - 12} y={40} textAnchor="end">
              {node.lines[1]}
            </text>
            {node.share !== undefined && (
              <>
                <rect className="track" x={17} y={size.height - 7} width={size.width - 29} height={3} rx={1.5} />
                <rect className="fill" x={17} y={size.height - 7} width={(size.width - 29) * Math.min(1, node.share)} height={3} rx={1.5} />
              </>
            )}
          </g>
        ))}
      </svg>
    </div>
  );
}

function edge(from: Placed, to: Placed, isDown: boolean): string {
  if (isDown) {
    const [x1, y1, x2, y2] = [from.x + size.width / 2, from.y + size.height, to.x + size.width / 2, to.y];
    const bend = Math.max(12, (y2 - y1) / 2);
    return `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`;
  }
  const [x1, y1, x2, y2] = [from.x + size.width, from.y + size.height / 2, to.x, to.y + size.height / 2];
  const bend = Math.max(20, (x2 - x1) / 2);
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

const cut = (text: string, length: number) => (text.length > length ? text.slice(0, length - 1) + '…' : text);

function closest(placed: Placed[], node: Placed, way: 1 | -1): Placed | undefined {
  return placed.filter((other) => other.x === node.x && (other.y - node.y) * way > 0).sort((a, b) => (a.y - b.y) * way)[0];
}

/** Columns by the longest way from a root; within a column by the middle of the neighbours, a few times back and forth. */
function layOut(nodes: DagNode[], isDown: boolean): { placed: Placed[]; width: number; height: number } {
  const rank = new Map<string, number>();
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const rankOf = (node: DagNode): number => {
    const known = rank.get(node.name);
    if (known !== undefined) return known;
    rank.set(node.name, 0);
    const value = Math.max(-1, ...node.needs.map((need) => (byName.has(need) ? rankOf(byName.get(need)!) : -1))) + 1;
    rank.set(node.name, value);
    return value;
  };
  const columns: DagNode[][] = [];
  for (const node of nodes) (columns[rankOf(node)] ??= []).push(node);
  const row = new Map<string, number>();
  const number = () => columns.forEach((column) => column.forEach((node, i) => row.set(node.name, i - (column.length - 1) / 2)));
  number();
  const users = new Map<string, string[]>();
  for (const node of nodes) for (const need of node.needs) users.set(need, [...(users.get(need) ?? []), node.name]);
  for (let round = 0; round < 6; round++) {
    const isForward = round % 2 === 0;
    for (const column of isForward ? columns : [...columns].reverse()) {
      const middle = (node: DagNode) => {
        const near = (isForward ? node.needs : (users.get(node.name) ?? [])).map((name) => row.get(name)).filter((r) => r !== undefined);
        return near.length ? near.reduce((a, b) => a + b, 0) / near.length : row.get(node.name)!;
      };
      const order = new Map(column.map((node) => [node.name, middle(node)]));
      column.sort((a, b) => order.get(a.name)! - order.get(b.name)!);
      number();
    }
  }
  // Along the way, and across it.
  const [along, across] = isDown ? [size.height + 26, size.width + size.gapY] : [size.width + size.gapX, size.height + size.gapY];
  const widest = Math.max(1, ...columns.map((column) => column.length));
  const placed = columns.flatMap((column, c) =>
    column.map((node, i) => {
      const [way, side] = [4 + c * along, 4 + ((widest - column.length) / 2 + i) * across];
      return { ...node, x: isDown ? side : way, y: isDown ? way : side };
    }),
  );
  return { placed, width: Math.max(...placed.map((p) => p.x), 0) + size.width + 4, height: Math.max(...placed.map((p) => p.y), 0) + size.height + 4 };
}
