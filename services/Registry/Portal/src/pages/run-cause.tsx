import type { Run } from '../api/types';
import { RunLink } from '../parts/run-link';
import { pipelinePath, TriggerLink, triggerPath } from '../parts/trigger-bits';
import { Link } from '../router';

/** Why the run exists: the pipeline that it is a run of, and the event and the triggers that led to it. */
export function RunCause({ run }: { run: Run }) {
  const { cause } = run;
  if (!run.pipeline)
    return run.owner || run.reason ? (
      <p className="cause" aria-label="Cause">
        {run.owner && <span>submitted by {run.owner}</span>}
        {run.reason && <Reason text={run.reason} />}
      </p>
    ) : null;
  return (
    <p className="cause" aria-label="Cause">
      <span>
        Version {run['pipeline-version']} of <Link href={pipelinePath(run.pipeline)}>{run.pipeline}</Link>
      </span>
      {cause ? (
        <>
          <span>
            started by <TriggerLink name={cause.trigger} /> for event <Link href={`${triggerPath(cause.trigger)}?event=${cause.event}`}>#{cause.event}</Link> ({cause.kind}) in the name of {run.owner}
          </span>
          {cause.depth > 1 && (
            <span>
              {cause.depth} triggers deep:{' '}
              {cause.chain.map((name, i) => (
                <span key={i}>
                  {i > 0 && ' → '}
                  <TriggerLink name={name} />
                </span>
              ))}
            </span>
          )}
        </>
      ) : (
        <span>started by {run.owner}</span>
      )}
      {run.reason && <Reason text={run.reason} />}
    </p>
  );
}

const runId = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;

/** What the run is for; a run that it names is a link. */
function Reason({ text }: { text: string }) {
  const found = runId.exec(text);
  if (!found) return <span>{text}</span>;
  return (
    <span>
      {text.slice(0, found.index)}
      <RunLink id={found[0]} />
      {text.slice(found.index + found[0].length)}
    </span>
  );
}
