import { useState } from 'react';
import type { LossDifference, ModelRow, Run, RunResults } from '../api/types';
import { Card } from '../parts/bits';
import { bytes, duration, measure, short, whole } from '../format';
import { Link } from '../router';
import { outputPath } from './run-output';

/** What a run found: the verdict in words, then its models with their numbers. The command line and the report say the same. */
export function RunResultsCard({ run, results }: { run: Run; results: RunResults }) {
  const { models, differences, verdict } = results;
  const references = models.map((m) => m.model).filter((name) => differences.some((d) => d.second === name));
  const [chosen, setChosen] = useState<string>();
  const reference = chosen ?? usual(references, differences);
  const best = models.reduce<ModelRow | undefined>((least, m) => (m.loss !== undefined && (least?.loss === undefined || m.loss < least.loss) ? m : least), undefined);
  if (!models.some((m) => m.loss !== undefined || m['total-parameters'] !== undefined)) return null;
  return (
    <Card
      className="results"
      title="Results"
      aside={
        references.length > 0 && (
          <label className="inline">
            Compared with
            <select value={reference} onChange={(event) => setChosen(event.target.value)}>
              {references.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        )
      }
    >
      {verdict.length > 0 && (
        <ul className="verdicts" aria-label="Verdict">
          {verdict.map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      )}
      <div className="scroll" tabIndex={0} role="region" aria-label="Models of this run">
        <table aria-label="Results">
          <thead>
            <tr>
              <th>Model</th>
              <th className="number">Parameters</th>
              <th className="number">Active</th>
              <th className="number">Held-out loss (95 %)</th>
              {reference && <th className="number">Against {reference} (95 %)</th>}
              <th className="number">Bits/byte</th>
              <th className="number">Stored</th>
              <th className="number">New</th>
              <th className="number">Tokens/s</th>
              <th className="number">Time</th>
            </tr>
          </thead>
          <tbody>
            {models.map((m) => (
              <tr key={m.model} className={m === best ? 'best' : ''}>
                <td>
                  <Link href={outputPath(run, m.model, 'model')}>{m.model}</Link>
                  {m.cached && <span className="minor"> cached</span>}
                </td>
                <td className="number">{count(m['total-parameters'])}</td>
                <td className="number">{count(m['active-parameters'])}</td>
                <td className="number">
                  {m.loss === undefined ? '–' : m.loss.toFixed(4)}
                  {m['loss-low'] !== undefined && m['loss-high'] !== undefined && <span className="minor"> [{m['loss-low'].toFixed(3)}, {m['loss-high'].toFixed(3)}]</span>}
                </td>
                {reference && <Difference found={differences.find((d) => d.first === m.model && d.second === reference)} />}
                <td className="number">{m['bits-per-byte']?.toFixed(3) ?? '–'}</td>
                <td className="number">{bytes(m['stored-bytes'])}</td>
                <td className="number">{bytes(m['new-bytes'])}</td>
                <td className="number">{m['tokens-per-second'] === undefined ? '–' : whole(m['tokens-per-second'])}</td>
                <td className="number">{m.seconds > 0 ? duration(m.seconds) : '–'}</td>
              </tr>
            ))}
            {results['xz-bits-per-byte'] !== undefined && (
              <tr>
                <td className="minor">xz −9 (same text)</td>
                <td colSpan={reference ? 4 : 3} />
                <td className="number">{results['xz-bits-per-byte'].toFixed(3)}</td>
                <td colSpan={4} />
              </tr>
            )}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

/** Better or worse in words where the interval is clear of zero. */
function Difference({ found }: { found?: LossDifference }) {
  if (!found) return <td className="number minor">–</td>;
  const tone = found.high < 0 ? 'better' : found.low > 0 ? 'worse' : 'unclear';
  return (
    <td className="number">
      {signed(found.value)}{' '}
      <span className="minor">
        [{signed(found.low)}, {signed(found.high)}]
      </span>{' '}
      <span className={`tone ${tone}`}>{tone === 'unclear' ? 'no clear difference' : tone}</span>
    </td>
  );
}

/** The model that the evaluation compares the others with: the one that is second most often, the earliest of equals. */
function usual(references: string[], differences: LossDifference[]): string | undefined {
  const pairs = (name: string) => differences.filter((d) => d.second === name).length;
  return references.reduce<string | undefined>((best, name) => (best === undefined || pairs(name) > pairs(best) ? name : best), undefined);
}

const count = (value?: number) => (value === undefined ? '–' : short(value));
const signed = (value: number) => (value > 0 ? '+' : value < 0 ? '−' : '') + measureAbs(value);
const measureAbs = (value: number) => (Math.abs(value) < 1e-4 && value !== 0 ? measure(Math.abs(value)) : Math.abs(value).toFixed(4));
