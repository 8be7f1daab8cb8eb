import { type KeyboardEvent, useEffect, useMemo, useRef } from 'react';
import { layOut, nodeSize as size } from './dag-layout';

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

interface DagProps {
  nodes: DagNode[];
  selected?: string;
  /** A step was clicked, or walked to. */
  onSelect?: (name: string) => void;
  /** A node was clicked, or chosen by Enter; walking alone does nothing. */
  onOpen?: (name: string) => void;
  label?: string;
  isDown?: boolean;
}

/** Steps from left to right, or downwards, each behind what it needs. Arrow keys walk along the edges. */
export function Dag({ nodes, selected, onSelect, onOpen, label = 'Steps and what they need', isDown = false }: DagProps) {
  // Places depend on names and needs alone: what a step measures moves nothing.
  const shape = JSON.stringify(nodes.map((node) => [node.name, node.needs]));
  const { places, edges, width, height } = useMemo(() => layOut(nodes, isDown), [shape, isDown]);
  const placed: Placed[] = nodes.map((node) => ({ ...node, ...places.get(node.name)! }));
  const box = useRef<HTMLDivElement>(null);
  const chosen = selected === undefined ? undefined : places.get(selected);
  useEffect(() => {
    const element = box.current;
    if (!element || !chosen) return;
    const { scrollLeft, clientWidth } = element;
    if (chosen.x < scrollLeft || chosen.x + size.width > scrollLeft + clientWidth) element.scrollTo({ left: chosen.x - (clientWidth - size.width) / 2 });
  }, [chosen]);
  const byName = new Map(placed.map((node) => [node.name, node]));
  const choose = onOpen ?? onSelect;
  const press = (event: KeyboardEvent, node: Placed) => {
    if (!choose) return;
    const next =
      event.key === 'ArrowLeft' ? byName.get(node.needs.find((n) => byName.has(n)) ?? '')
      : event.key === 'ArrowRight' ? placed.find((other) => other.needs.includes(node.name))
      : event.key === 'ArrowDown' ? closest(placed, node, 1)
      : event.key === 'ArrowUp' ? closest(placed, node, -1)
      : undefined;
    if (event.key === 'Enter' || event.key === ' ') choose(node.name);
    else if (!next) return;
    event.preventDefault();
    if (next) {
      onSelect?.(next.name);
      document.getElementById(`step-${next.name}`)?.focus();
    }
  };
  return (
    <div className="scroll dag" ref={box}>
      <svg width={width} height={height} role="group" aria-label={label}>
        {edges.map(({ from, to, path }) => (
          <path key={`${from} ${to}`} className={`edge ${selected === from || selected === to ? 'near' : ''}`} d={path} />
        ))}
        {placed.map((node) => (
          <g
            key={node.name}
            id={`step-${node.name}`}
            transform={`translate(${node.x} ${node.y})`}
            className={`node ${node.state} ${node.isMinor ? 'minor' : ''} ${selected === node.name ? 'selected' : ''}`}
            tabIndex={choose ? 0 : undefined}
            role={choose ? 'button' : undefined}
            aria-pressed={onSelect ? selected === node.name : undefined}
            aria-label={`${node.name}, ${node.lines.join(', ')}`}
            data-state={node.state}
            onClick={() => choose?.(node.name)}
            onKeyDown={(event) => press(event, node)}
          >
            <rect className="plate" width={size.width} height={size.height} rx={7} />
            <rect className="stripe" x={5} y={10} width={3} height={size.height - 20} rx={1.5} />
            <text className="title" x={17} y={22}>
              {cut(node.name, 17)}
            </text>
            <text className="sub" x={17} y={40}>
              {cut(node.lines[0], 17 - node.lines[1].length)}
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

const cut = (text: string, length: number) => (text.length > length ? text.slice(0, length - 1) + '…' : text);

function closest(placed: Placed[], node: Placed, way: 1 | -1): Placed | undefined {
  return placed.filter((other) => other.x === node.x && (other.y - node.y) * way > 0).sort((a, b) => (a.y - b.y) * way)[0];
}
