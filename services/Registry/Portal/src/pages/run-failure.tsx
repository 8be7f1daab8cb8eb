import type { ReactNode } from 'react';
import type { Run, Step } from '../api/types';
import { Card } from '../parts/bits';

const kinds: Record<string, string> = {
  user: 'The input is wrong; it was not tried again.',
  resource: 'It ran out of memory or disk, also with its work in smaller parts.',
  poison: 'Its process crashed each time.',
  transient: 'Something that it needs did not answer.',
};

/** Why a run failed: first of all, and nothing else. */
export function RunFailure({ run, onSelect }: { run: Run; onSelect: (step: string) => void }) {
  const failed = run.steps.filter((step) => step.state === 'failed');
  if (run.state !== 'failed' || failed.length === 0) return null;
  const skipped = run.steps.filter((step) => step.state === 'skipped' && step.message.includes('which it needs')).length;
  return (
    <Card className="failure" title={failed.length === 1 ? 'Why it failed' : `Why it failed: ${failed.length} steps`}>
      {failed.slice(0, 5).map((step) => (
        <Reason key={step.name} step={step} onSelect={onSelect} />
      ))}
      {failed.length > 5 && <p className="minor">And {failed.length - 5} more; they are red below.</p>}
      {skipped > 0 && (
        <p className="minor">
          {skipped === 1 ? 'One step that needs' : `${skipped} steps that need`} {failed.length === 1 ? 'it' : 'them'} did not run.
        </p>
      )}
    </Card>
  );
}

function Reason({ step, onSelect }: { step: Step; onSelect: (step: string) => void }) {
  const [first, rest] = firstParagraph(step.message || 'It gave no reason.');
  return (
    <div className="reason">
      <p>
        <button className="link" onClick={() => onSelect(step.name)} title="Show the step and its log">
          {step.name}
        </button>
        <span className="minor">
          {' '}
          {step.kind}
          {step.attempts > 1 && <>, {step.attempts} attempts</>}
          {step.worker && <>, on {step.worker}</>}
        </span>
      </p>
      <p className="message">{first}</p>
      {rest && <Details text={rest} />}
      {step.failure && kinds[step.failure] && <p className="minor">{kinds[step.failure]}</p>}
    </div>
  );
}

const Details = ({ text }: { text: string }): ReactNode => (
  <details>
    <summary>More of the message</summary>
    <pre className="block">{text}</pre>
  </details>
);

/** What somebody reads first: up to a stack trace or the end of the first paragraph. */
function firstParagraph(message: string): [string, string] {
  const end = message.search(/\n\s*\n|\n\s+at |\n---/);
  const cut = end < 0 ? (message.length > 600 ? (message.lastIndexOf(' ', 600) > 0 ? message.lastIndexOf(' ', 600) : 600) : -1) : end;
  return cut < 0 ? [message.trim(), ''] : [message.slice(0, cut).trim(), message.slice(cut).trim()];
}
