import { type KeyboardEvent, type PointerEvent, useMemo, useRef, useState } from 'react';
import { measure, short } from '../format';
import { thin, ticks, useWidth } from './scale';

export interface Series {
  name: string;
  points: [number, number][];
}

const margin = { left: 60, right: 14, top: 12, bottom: 30 };

/**
 * Curves over one axis. Drag to look closer, double-click to see all again; with the keyboard: arrows move the reading line,
 * + and − zoom about it, 0 shows all.
 */
export function LineChart({ series, xName, yName, height = 260 }: { series: Series[]; xName: string; yName: string; height?: number }) {
  const [box, width] = useWidth();
  const [range, setRange] = useState<[number, number] | null>(null);
  const [cursor, setCursor] = useState<number | null>(null);
  const [drag, setDrag] = useState<[number, number] | null>(null);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const svg = useRef<SVGSVGElement>(null);
  const shown = series.filter((s) => !hidden.has(s.name) && s.points.length > 0);
  const all = useMemo(() => extent(series.flatMap((s) => [s.points[0], s.points[s.points.length - 1]]).filter(Boolean).map((p) => p[0])), [series]);
  const [x0, x1] = range ?? all;
  const visible = shown.map((s) => ({ ...s, points: window(s.points, x0, x1) }));
  const [low, high] = extent(visible.flatMap((s) => s.points.map((p) => p[1])));
  const pad = (high - low || Math.abs(high) || 1) * 0.06;
  const [y0, y1] = [low - pad, high + pad];
  const inner = { width: Math.max(10, width - margin.left - margin.right), height: height - margin.top - margin.bottom };
  const toX = (x: number) => margin.left + ((x - x0) / (x1 - x0 || 1)) * inner.width;
  const toY = (y: number) => margin.top + (1 - (y - y0) / (y1 - y0 || 1)) * inner.height;
  const fromX = (pixel: number) => x0 + ((pixel - margin.left) / inner.width) * (x1 - x0);
  const place = (event: PointerEvent) => Math.min(x1, Math.max(x0, fromX(event.clientX - svg.current!.getBoundingClientRect().left)));

  const zoom = (factor: number) => {
    const middle = cursor ?? (x0 + x1) / 2;
    const next: [number, number] = [Math.max(all[0], middle - (middle - x0) * factor), Math.min(all[1], middle + (x1 - middle) * factor)];
    setRange(next[1] - next[0] >= (all[1] - all[0]) * 0.999 ? null : next);
  };
  const press = (event: KeyboardEvent) => {
    const step = (x1 - x0) / 100;
    const act: Record<string, () => void> = {
      ArrowLeft: () => setCursor(Math.max(x0, (cursor ?? x1) - step)),
      ArrowRight: () => setCursor(Math.min(x1, (cursor ?? x0) + step)),
      '+': () => zoom(0.6),
      '=': () => zoom(0.6),
      '-': () => zoom(1 / 0.6),
      '0': () => setRange(null),
      Escape: () => (setRange(null), setCursor(null)),
    };
    if (!act[event.key]) return;
    event.preventDefault();
    act[event.key]();
  };
  const release = () => {
    if (drag && Math.abs(toX(drag[1]) - toX(drag[0])) > 6) setRange([Math.min(...drag), Math.max(...drag)]);
    setDrag(null);
  };
  const isIn = (s: Series) => cursor !== null && cursor >= s.points[0][0] - (x1 - x0) / 50 && cursor <= s.points[s.points.length - 1][0] + (x1 - x0) / 50;
  const readings = cursor === null ? [] : visible.flatMap((s) => (s.points.length && isIn(s) ? [{ name: s.name, point: nearest(s.points, cursor), index: series.findIndex((o) => o.name === s.name) }] : []));

  return (
    <div className="chart" ref={box}>
      {width > 0 && (
        <svg
          ref={svg}
          width={width}
          height={height}
          tabIndex={0}
          role="img"
          aria-label={`${yName} over ${xName}: ${series.map((s) => (s.points.length ? `${s.name} ends at ${measure(s.points[s.points.length - 1][1])}` : `${s.name} has no points yet`)).join(', ')}`}
          onKeyDown={press}
          onPointerDown={(event) => {
            svg.current!.setPointerCapture(event.pointerId);
            setDrag([place(event), place(event)]);
          }}
          onPointerMove={(event) => {
            setCursor(place(event));
            if (drag) setDrag([drag[0], place(event)]);
          }}
          onPointerUp={release}
          onPointerLeave={() => drag === null && setCursor(null)}
          onDoubleClick={() => setRange(null)}
        >
          {ticks(y0, y1, 5).map((y) => (
            <g key={y}>
              <line className="grid" x1={margin.left} x2={width - margin.right} y1={toY(y)} y2={toY(y)} />
              <text className="axis" x={margin.left - 8} y={toY(y) + 4} textAnchor="end">
                {axisNumber(y, y1 - y0)}
              </text>
            </g>
          ))}
          {ticks(x0, x1, Math.min(8, width / 90)).filter((x) => toX(x) > margin.left + 16 && toX(x) < width - 16).map((x) => (
            <text key={x} className="axis" x={toX(x)} y={height - 10} textAnchor="middle">
              {short(x)}
            </text>
          ))}
          <text className="axis name" x={margin.left - 8} y={height - 10} textAnchor="end">
            {xName}
          </text>
          {visible.map((s) => (
            <path key={s.name} className={`curve c${series.findIndex((o) => o.name === s.name) % 8}`} d={'M' + thin(s.points, inner.width).map(([x, y]) => `${toX(x).toFixed(1)} ${toY(y).toFixed(1)}`).join('L')} />
          ))}
          {drag && <rect className="selection" x={toX(Math.min(...drag))} width={Math.abs(toX(drag[1]) - toX(drag[0]))} y={margin.top} height={inner.height} />}
          {cursor !== null && readings.length > 0 && (
            <>
              <line className="cursor" x1={toX(cursor)} x2={toX(cursor)} y1={margin.top} y2={margin.top + inner.height} />
              {readings.map((r) => (
                <circle key={r.name} className={`dot c${r.index % 8}`} cx={toX(r.point[0])} cy={toY(r.point[1])} r={3.5} />
              ))}
            </>
          )}
        </svg>
      )}
      {width > 0 && cursor !== null && readings.length > 0 && (
        <div className="reading" style={toX(cursor) > width / 2 ? { right: width - toX(cursor) + 12 } : { left: toX(cursor) + 12 }}>
          <b>
            {short(readings[0].point[0])} {xName}
          </b>
          {readings.map((r) => (
            <span key={r.name}>
              <i className={`c${r.index % 8}`} />
              {r.name}
              <em>{measure(r.point[1])}</em>
            </span>
          ))}
        </div>
      )}
      <div className="legend">
        {series.map((s, i) => (
          <button key={s.name} aria-pressed={!hidden.has(s.name)} onClick={() => setHidden((old) => toggled(old, s.name))}>
            <i className={`c${i % 8}`} />
            {s.name}
          </button>
        ))}
        {range && (
          <button className="quiet" onClick={() => setRange(null)}>
            show all
          </button>
        )}
      </div>
    </div>
  );
}

function toggled(set: ReadonlySet<string>, name: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(name)) next.add(name);
  return next;
}

function extent(values: number[]): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 1];
}

/** The points in a range and one beyond either end, so that the curve reaches the edges. */
function window(points: [number, number][], from: number, to: number): [number, number][] {
  const first = points.findIndex((p) => p[0] >= from);
  const last = points.findLastIndex((p) => p[0] <= to);
  return first < 0 || last < 0 ? [] : points.slice(first, last + 1);
}

function nearest(points: [number, number][], x: number): [number, number] {
  let [low, high] = [0, points.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < x) low = middle;
    else high = middle;
  }
  return Math.abs(points[low][0] - x) <= Math.abs(points[high][0] - x) ? points[low] : points[high];
}

function axisNumber(value: number, span: number): string {
  if (Math.abs(value) >= 1e4) return short(value);
  return value.toFixed(Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(span || 1)))));
}
