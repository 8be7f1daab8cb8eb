import { useState } from 'react';
import { HeatMap } from '../charts/heat-map';
import { short } from '../format';

/** Load of every expert of every layer at one time, as multiples of a fair share. */
export interface LoadFrame {
  at: number;
  layers: number[][];
}

/** Layer by expert at a time that a slider chooses, or one layer's experts over all the time. */
export function LoadOverTime({ frames }: { frames: LoadFrame[] }) {
  const [chosen, setChosen] = useState<number | null>(null);
  const [layer, setLayer] = useState<number | null>(null);
  const index = chosen === null ? frames.length - 1 : Math.min(chosen, frames.length - 1);
  const frame = frames[index];
  const experts = Math.max(...frame.layers.map((l) => l.length));
  const describe = (l: number, e: number, share: number, at: number) => `layer ${l}, expert ${e}: ${share.toFixed(2)} of a fair share at ${short(at)} tokens`;
  return (
    <>
      <div className="chart-controls">
        <label>
          View
          <select value={layer ?? ''} onChange={(event) => setLayer(event.target.value === '' ? null : Number(event.target.value))}>
            <option value="">all layers at one time</option>
            {frame.layers.map((_, l) => (
              <option key={l} value={l}>
                layer {l} over time
              </option>
            ))}
          </select>
        </label>
        {layer === null && frames.length > 1 && (
          <label className="grow">
            <span className="figures">{short(frame.at)} tokens{chosen === null && ', newest'}</span>
            <input
              type="range"
              min={0}
              max={frames.length - 1}
              value={index}
              aria-label="Time"
              onChange={(event) => setChosen(Number(event.target.value) === frames.length - 1 ? null : Number(event.target.value))}
            />
          </label>
        )}
      </div>
      {layer === null ? (
        <HeatMap
          rows={frame.layers}
          rowName={(l) => `layer ${l}`}
          describe={(l, e, share) => describe(l, e, share, frame.at)}
          columnsName={`expert 0 to ${experts - 1}`}
          label={`Expert load, ${frame.layers.length} layers by ${experts} experts, at ${short(frame.at)} tokens`}
        />
      ) : (
        <HeatMap
          rows={Array.from({ length: frame.layers[layer]?.length ?? 0 }, (_, e) => frames.map((f) => f.layers[layer]?.[e] ?? 0))}
          rowName={(e) => `expert ${e}`}
          describe={(e, t, share) => describe(layer, e, share, frames[t].at)}
          columnsName={`from ${short(frames[0].at)} to ${short(frames[frames.length - 1].at)} tokens`}
          label={`Load of the experts of layer ${layer} over time`}
          maximumCell={16}
        />
      )}
    </>
  );
}
