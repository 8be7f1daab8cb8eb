import { useEffect, useRef, useState } from 'react';
import { Card } from '../parts/bits';

export interface LogLine {
  step: string;
  text: string;
  tone: string;
}

/** A line of the run's stream as text; nothing for events that are not log lines. */
export function readLine(name: string, data: string): LogLine[] {
  const body = JSON.parse(data) as { step?: string; state?: string; message?: string; lines?: string[]; attempt?: number };
  if (name === 'step-logged') return (body.lines ?? []).map((text) => ({ step: body.step ?? '', text, tone: 'said' }));
  const attempt = (body.attempt ?? 0) > 1 ? ` (try ${body.attempt})` : '';
  return [{ step: body.step ?? '', text: `${body.state}${attempt}${body.message ? `: ${body.message}` : ''}`, tone: body.state ?? '' }];
}

/** The end of the log; it follows what is added unless somebody scrolled up to read. */
export function RunLog({ lines, step, onAll }: { lines: readonly LogLine[]; step?: string; onAll: () => void }) {
  const box = useRef<HTMLDivElement>(null);
  const [follows, setFollows] = useState(true);
  const shown = (step ? lines.filter((line) => line.step === step) : lines).slice(-1000);
  useEffect(() => {
    if (follows && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [shown.length, follows]);
  return (
    <Card
      title={step ? `Log of ${step}` : 'Log'}
      aside={
        <>
          {step && (
            <button className="quiet" onClick={onAll}>
              all steps
            </button>
          )}
          {!follows && (
            <button className="quiet" onClick={() => setFollows(true)}>
              follow
            </button>
          )}
        </>
      }
    >
      <div
        className="log"
        role="log"
        tabIndex={0}
        ref={box}
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          setFollows(scrollHeight - scrollTop - clientHeight < 30);
        }}
      >
        {shown.length === 0 && <span className="minor">Nothing has been written yet.</span>}
        {shown.map((line, i) => (
          <div key={i} className={line.tone}>
            <b>{line.step || 'run'}</b>
            <span>{line.text}</span>
          </div>
        ))}
      </div>
    </Card>
  );
}
