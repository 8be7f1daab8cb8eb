import { type KeyboardEvent, type WheelEvent, useLayoutEffect, useMemo, useRef, useState } from 'react';
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

const zoomStep = 1.25;
const mostZoom = 2;
/** Below it, left to right is too small to read. */
const leastScale = 0.7;
/** From so many steps on there is something to zoom. */
const manySteps = 8;

/**
 * Steps from left to right, or downwards where that is easier to read, each behind what it needs. All of it fits the width; + and −
 * zoom, 0 fits it again. Arrow keys walk along the edges.
 */
export function Dag({ nodes, selected, onSelect, onOpen, label = 'Steps and what they need', isDown = false }: DagProps) {
  const outer = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const room = useRoom(outer);
  // Places depend on names and needs alone: what a step measures moves nothing.
  const shape = JSON.stringify(nodes.map((node) => [node.name, node.needs]));
  const right = useMemo(() => (isDown ? undefined : layOut(nodes, false)), [shape, isDown]);
  const isTight = right === undefined || (room > 0 && room < right.width * leastScale);
  const down = useMemo(() => (isTight ? layOut(nodes, true) : undefined), [shape, isTight]);
  const { places, edges, width, height } = right && !(down && isBetterDown(right, down, room)) ? right : down!;
  const fit = room > 0 ? Math.min(1, room / width) : 1;
  const [zoom, setZoom] = useState<number>();
  const scale = zoom ?? fit;
  const rescale = useZoom(box, scale);
  const placed: Placed[] = nodes.map((node) => ({ ...node, ...places.get(node.name)! }));
  const byName = new Map(placed.map((node) => [node.name, node]));
  const choose = onOpen ?? onSelect;
  const change = (next: number | undefined, at?: { x: number; y: number }) => {
    rescale(at);
    setZoom(next === undefined || Math.abs(next - fit) < 0.01 ? undefined : Math.min(mostZoom, Math.max(Math.min(fit, 0.2), next)));
  };
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
  const zoomByKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === '+' || event.key === '=') change(scale * zoomStep);
    else if (event.key === '-') change(scale / zoomStep);
    else if (event.key === '0') change(undefined);
  };
  const wheel = (event: WheelEvent<HTMLDivElement>) => {
    if (!event.ctrlKey) return;
    const bounds = event.currentTarget.getBoundingClientRect();
    change(scale * (event.deltaY < 0 ? zoomStep : 1 / zoomStep), { x: event.clientX - bounds.left, y: event.clientY - bounds.top });
  };
  return (
    <div className="dag-frame" ref={outer}>
      <div className={`dag ${zoom === undefined ? '' : 'zoomed'}`} ref={box} onWheel={wheel} onKeyDown={zoomByKey} tabIndex={zoom === undefined ? undefined : 0} role={zoom === undefined ? undefined : 'region'} aria-label={zoom === undefined ? undefined : `${label}, zoomed`}>
        {room > 0 && (
          <svg width={width * scale} height={height * scale} viewBox={`0 0 ${width} ${height}`} role="group" aria-label={label} data-scale={scale.toFixed(3)}>
            {edges.map(({ from, to, path }) => (
              <path key={`${from} ${to}`} className={`edge ${selected === from || selected === to ? 'near' : ''}`} d={path} />
            ))}
            {placed.map((node) => (
              <Node key={node.name} node={node} isSelected={selected === node.name} isToggle={onSelect !== undefined} choose={choose} press={press} />
            ))}
          </svg>
        )}
      </div>
      {(fit < 0.995 || zoom !== undefined || nodes.length > manySteps) && (
        <div className="dag-zoom" role="group" aria-label="Zoom">
          <button className="quiet" onClick={() => change(scale / zoomStep)} aria-label="Zoom out" title="Zoom out (−, Ctrl and wheel)">
            −
          </button>
          <button className="quiet" onClick={() => change(scale * zoomStep)} aria-label="Zoom in" title="Zoom in (+, Ctrl and wheel)">
            +
          </button>
          <button className="quiet" onClick={() => change(undefined)} disabled={zoom === undefined} title="All of it (0)">
            fit
          </button>
        </div>
      )}
    </div>
  );
}

function Node({ node, isSelected, isToggle, choose, press }: { node: Placed; isSelected: boolean; isToggle: boolean; choose?: (name: string) => void; press: (event: KeyboardEvent, node: Placed) => void }) {
  return (
    <g
      id={`step-${node.name}`}
      transform={`translate(${node.x} ${node.y})`}
      className={`node ${node.state} ${node.isMinor ? 'minor' : ''} ${isSelected ? 'selected' : ''}`}
      tabIndex={choose ? 0 : undefined}
      role={choose ? 'button' : undefined}
      aria-pressed={isToggle ? isSelected : undefined}
      aria-label={`${node.name}, ${node.lines.join(', ')}`}
      data-state={node.state}
      onClick={() => choose?.(node.name)}
      onKeyDown={(event) => press(event, node)}
    >
      <title>{node.name}</title>
      <rect className="plate" width={size.width} height={size.height} rx={7} />
      <rect className="stripe" x={5} y={10} width={3} height={size.height - 20} rx={1.5} />
      <text className="title" x={17} y={22}>
        {cut(node.name, 17)}
      </text>{' '}
      <text className="sub" x={17} y={40}>
        {cut(node.lines[0], 17 - node.lines[1].length)}
      </text>{' '}
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
  );
}

/** Whether what is laid out downwards is clearly larger when it fits. */
function isBetterDown(right: { width: number }, down: { width: number }, room: number): boolean {
  const [across, along] = [Math.min(1, room / right.width), Math.min(1, room / down.width)];
  return along > across * 1.25;
}

/** The width that there is, before the first painting. */
function useRoom(element: React.RefObject<HTMLDivElement | null>): number {
  const [room, setRoom] = useState(0);
  useLayoutEffect(() => {
    const read = () => setRoom(element.current!.clientWidth);
    read();
    const watcher = new ResizeObserver(read);
    watcher.observe(element.current!);
    return () => watcher.disconnect();
  }, []);
  return room;
}

/** Keeps what is under the pointer, or in the middle, where it is while the scale changes. */
function useZoom(box: React.RefObject<HTMLDivElement | null>, scale: number): (at?: { x: number; y: number }) => void {
  const anchor = useRef<{ x: number; y: number; scale: number; left: number; top: number }>(undefined);
  useLayoutEffect(() => {
    const [from, element] = [anchor.current, box.current];
    anchor.current = undefined;
    if (!from || !element || from.scale === scale) return;
    element.scrollLeft = ((from.left + from.x) / from.scale) * scale - from.x;
    element.scrollTop = ((from.top + from.y) / from.scale) * scale - from.y;
  }, [scale]);
  return (at) => {
    const element = box.current!;
    const { x, y } = at ?? { x: element.clientWidth / 2, y: element.clientHeight / 2 };
    anchor.current = { x, y, scale, left: element.scrollLeft, top: element.scrollTop };
  };
}

const cut = (text: string, length: number) => (text.length > length ? text.slice(0, length - 1) + '…' : text);

function closest(placed: Placed[], node: Placed, way: 1 | -1): Placed | undefined {
  return placed.filter((other) => other.x === node.x && (other.y - node.y) * way > 0).sort((a, b) => (a.y - b.y) * way)[0];
}
