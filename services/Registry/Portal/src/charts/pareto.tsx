import { bytes, measure } from '../format';
import { navigate } from '../router';
import { ticks, useWidth } from './scale';

export interface ParetoPoint {
  name: string;
  href: string;
  bytes: number;
  loss: number;
  low?: number;
  high?: number;
}

const margin = { left: 56, right: 20, top: 14, bottom: 34 };

/** Loss against bytes: the line joins the versions that no other version beats in both. */
export function Pareto({ points, height = 280 }: { points: ParetoPoint[]; height?: number }) {
  const [box, width] = useWidth();
  const xs = points.map((p) => Math.log10(p.bytes));
  const ys = points.flatMap((p) => [p.low ?? p.loss, p.high ?? p.loss]);
  const [x0, x1] = padded(Math.min(...xs), Math.max(...xs), 0.08);
  const [y0, y1] = padded(Math.min(...ys), Math.max(...ys), 0.1);
  const toX = (x: number) => margin.left + ((Math.log10(x) - x0) / (x1 - x0)) * (width - margin.left - margin.right);
  const toY = (y: number) => margin.top + (1 - (y - y0) / (y1 - y0)) * (height - margin.top - margin.bottom);
  const best = front(points);
  const marks = width > 0 ? [0, 1, 2, 3, 4].map((i) => 10 ** (x0 + ((x1 - x0) * (i + 0.5)) / 5)) : [];
  return (
    <div className="chart" ref={box}>
      {width > 0 && (
        <svg width={width} height={height} role="group" aria-label={`Loss against bytes of ${points.length} versions; ${best.map((p) => p.name).join(', ')} are not beaten`}>
          {ticks(y0, y1, 5).map((y) => (
            <g key={y}>
              <line className="grid" x1={margin.left} x2={width - margin.right} y1={toY(y)} y2={toY(y)} />
              <text className="axis" x={margin.left - 8} y={toY(y) + 4} textAnchor="end">
                {y.toFixed(Math.max(0, Math.min(5, 1 - Math.floor(Math.log10(y1 - y0)))))}
              </text>
            </g>
          ))}
          {marks.map((x) => (
            <text key={x} className="axis" x={toX(x)} y={height - 12} textAnchor="middle">
              {bytes(x)}
            </text>
          ))}
          <path className="front" d={'M' + best.map((p) => `${toX(p.bytes)} ${toY(p.loss)}`).join('L')} />
          {points.map((p) => (
            <a key={p.name} href={p.href} aria-label={`${p.name}: loss ${measure(p.loss)}, ${bytes(p.bytes)}`} onClick={(event) => (event.preventDefault(), navigate(p.href))}>
              {p.low !== undefined && p.high !== undefined && <line className="whisker" x1={toX(p.bytes)} x2={toX(p.bytes)} y1={toY(p.low)} y2={toY(p.high)} />}
              <circle className={best.includes(p) ? 'best' : 'beaten'} cx={toX(p.bytes)} cy={toY(p.loss)} r={5} />
              <text className="axis" x={toX(p.bytes) + 9} y={toY(p.loss) - 7}>
                {p.name}
              </text>
            </a>
          ))}
        </svg>
      )}
    </div>
  );
}

function front(points: ParetoPoint[]): ParetoPoint[] {
  const sorted = [...points].sort((a, b) => a.bytes - b.bytes || a.loss - b.loss);
  const best: ParetoPoint[] = [];
  for (const point of sorted) if (best.length === 0 || point.loss < best[best.length - 1].loss) best.push(point);
  return best;
}

function padded(low: number, high: number, share: number): [number, number] {
  const span = high - low || Math.abs(high) * 0.1 || 1;
  return [low - span * share, high + span * share];
}
