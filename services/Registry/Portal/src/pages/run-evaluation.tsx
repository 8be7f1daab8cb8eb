import { useState } from 'react';
import type { EvaluationReport } from '../api/types';
import { Bars } from '../charts/bars';
import { HeatMap } from '../charts/heat-map';
import { Card } from '../parts/bits';
import { bytes, measure, short } from '../format';
import { fairShares } from './run-curves';

type Evaluated = EvaluationReport['models'][number];

/** What an evaluation found: sizes, loss, and how two models route the same text. */
export function EvaluationCharts({ report }: { report: EvaluationReport }) {
  if (!Array.isArray(report.models) || report.models.length === 0) return null;
  const routed = report.models.filter((m) => m.routing);
  return (
    <>
      <Card title="Parameters and bytes" aside={<span className="minor">dark: used by each token</span>}>
        <Bars
          rows={report.models.map((m) => ({
            key: m.step,
            name: m.step,
            parts: [
              { value: m['active-parameters'], tone: 'strong', title: `${short(m['active-parameters'])} active parameters` },
              { value: m['total-parameters'] - m['active-parameters'], tone: 'soft', title: `${short(m['total-parameters'])} parameters in all` },
            ],
            text: `${short(m['active-parameters'])} of ${short(m['total-parameters'])}`,
          }))}
        />
        <Bars rows={report.models.map((m) => ({ key: m.step, name: m.step, parts: [{ value: m.bytes, tone: 'second', title: bytes(m.bytes) }], text: <>{bytes(m.bytes)}{m['validation-loss'] && <span className="minor"> loss {measure(m['validation-loss'].loss.value)}</span>}</> }))} />
      </Card>
      {routed.length > 0 && <Routing models={routed} />}
    </>
  );
}

/** Two models side by side: load, co-activation, and how alike they route. */
function Routing({ models }: { models: Evaluated[] }) {
  const [left, setLeft] = useState(comparableTo(models).step);
  const [right, setRight] = useState(models[models.length - 1].step);
  const [layer, setLayer] = useState(0);
  const pair = [models.find((m) => m.step === left) ?? models[0], models.find((m) => m.step === right) ?? models[models.length - 1]];
  const layers = Math.min(...pair.map((m) => m.routing!.load.length));
  const at = Math.min(layer, layers - 1);
  const isOne = models.length === 1;
  const comparable = !isOne && pair[0].routing!.load[at].length === pair[1].routing!.load[at].length;
  return (
    <Card title={isOne ? `Routing of ${models[0].step}` : 'Routing before and after'} aside={<span className="minor">on held-out text</span>}>
      <div className="chart-controls">
        {!isOne && <Choice name="Before" value={left} options={models.map((m) => m.step)} onChange={setLeft} />}
        {!isOne && <Choice name="After" value={right} options={models.map((m) => m.step)} onChange={setRight} />}
        <Choice name="Layer" value={String(at)} options={Array.from({ length: layers }, (_, l) => String(l))} onChange={(l) => setLayer(Number(l))} />
      </div>
      <div className="pair">
        {(isOne ? models : pair).map((model, side) => (
          <figure key={side}>
            <figcaption>{model.step}: load</figcaption>
            <HeatMap
              rows={model.routing!.load.map(fairShares)}
              rowName={(l) => `layer ${l}`}
              describe={(l, e, share) => `layer ${l}, expert ${e}: ${share.toFixed(2)} of a fair share`}
              columnsName={`expert 0 to ${model.routing!.load[0].length - 1}`}
              label={`Expert load of ${model.step}`}
            />
            <figcaption>chosen together, layer {at}</figcaption>
            <HeatMap
              fromZero
              maximumCell={26}
              rows={model.routing!.layers[at]['co-activation'].map((row, i) => row.map((value, j) => (i === j ? 0 : value)))}
              rowName={(e) => `expert ${e}`}
              describe={(a, b, value) => (a === b ? `expert ${a}` : `experts ${a} and ${b}: ${value.toFixed(3)}`)}
              columnsName="similarity of the tokens that two experts get"
              label={`How often experts of ${model.step} are chosen together in layer ${at}`}
            />
          </figure>
        ))}
      </div>
      {comparable ? (
        <Bars
          maximum={1}
          rows={Array.from({ length: layers }, (_, l) => {
            const value = cosine(pair[0].routing!.load[l], pair[1].routing!.load[l]);
            return { key: String(l), name: `layer ${l}`, parts: [{ value, tone: 'strong', title: value.toFixed(4) }], text: <span title="cosine of the two load vectors">{value.toFixed(3)} alike</span> };
          })}
        />
      ) : isOne ? null : (
        <p className="minor">
          {pair[0].step} has {pair[0].routing!.load[at].length} experts a layer and {pair[1].step} {pair[1].routing!.load[at].length}: their loads cannot be compared one to one.
        </p>
      )}
    </Card>
  );
}

/** The newest model before the last that has as many experts as the last; else the first. */
const comparableTo = (models: Evaluated[]) => {
  const last = models[models.length - 1].routing!.load;
  return models.slice(0, -1).findLast((m) => m.routing!.load.length === last.length && m.routing!.load[0].length === last[0].length) ?? models[0];
};

function Choice({ name, value, options, onChange }: { name: string; value: string; options: string[]; onChange: (value: string) => void }) {
  return (
    <label>
      {name}
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        {options.map((option) => (
          <option key={option}>{option}</option>
        ))}
      </select>
    </label>
  );
}

function cosine(a: number[], b: number[]): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return dot / (Math.sqrt(aa * bb) || 1);
}
