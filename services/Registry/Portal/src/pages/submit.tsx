import { useEffect, useState } from 'react';
import { send, useAction, useResource, ApiError } from '../api/client';
import { at } from '../api/place';
import type { PipelineCheck, Problem } from '../api/types';
import { Dag } from '../charts/dag';
import { Card, PageHead, Tag } from '../parts/bits';
import { useMay } from '../parts/role';
import { Empty, ErrorBox, Loading } from '../parts/states';
import { YamlEditor } from '../parts/yaml-editor';
import { counted } from '../format';
import { navigate } from '../router';
import { AddDialog, hasTriggers, nameIn } from './submit-add';
import { Costs } from './submit-costs';
import { example, triggerExample } from './submit-example';

const draftKey = 'espalier-draft';

/** Write a pipeline, see what is wrong with it and what it would do, start it, or add it under its name. */
export function SubmitPage({ from, pipeline, sample }: { from: string | null; pipeline: string | null; sample: string | null }) {
  const source = useResource(from ? at('/api/v1/runs/{id}/source', { id: from }) : null);
  const added = useResource(pipeline ? at('/api/v1/pipelines/{name}', { name: pipeline }) : null);
  const [text, setText] = useState(() => (from || pipeline ? '' : sample === 'trigger' ? triggerExample : (sessionStorage.getItem(draftKey) ?? example)));
  const [isAdding, setIsAdding] = useState(false);
  const [parameters, setParameters] = useState<Record<string, string>>({});
  const [reason, setReason] = useState('');
  useEffect(() => {
    if (!source.data) return;
    setText(source.data.pipeline);
    setParameters(source.data.parameters);
  }, [source.data]);
  useEffect(() => {
    if (added.data?.pipeline) setText(added.data.pipeline);
  }, [added.data]);
  useEffect(() => {
    if (text) sessionStorage.setItem(draftKey, text);
  }, [text]);
  const check = useCheck(text, parameters);
  const maySubmit = useMay('submitter');
  const action = useAction();
  const submit = () =>
    action.run(async () => {
      const accepted = await send('post', at('/api/v1/runs', { ...named(parameters), reason: reason.trim() || undefined }), text);
      sessionStorage.removeItem(draftKey);
      navigate(`/runs/${accepted['run-id']}`);
    });
  const problems = check.result?.problems ?? [];
  const name = nameIn(text);
  const isReady = check.result?.plan !== undefined && problems.length === 0 && !check.isStale;
  return (
    <>
      <PageHead title="Submit" lead="A pipeline is one YAML file. It is checked as you write; nothing starts until you say so.">
        <Verdict check={check} />
        {maySubmit && (
          <button disabled={name === undefined} onClick={() => setIsAdding(true)} title="Kept under its name, with versions; its triggers act">
            Add as pipeline
          </button>
        )}
        {maySubmit && (
          <button className="primary" disabled={!isReady || action.busy} onClick={() => void submit()} title="Ctrl+Enter">
            {action.busy ? 'Submitting…' : 'Start the run'}
          </button>
        )}
      </PageHead>
      {source.error && <ErrorBox error={source.error} />}
      {added.error && <ErrorBox error={added.error} />}
      {action.error && <ErrorBox error={action.error} />}
      {isAdding && name && <AddDialog name={name} text={text} onAdded={() => sessionStorage.removeItem(draftKey)} onClose={() => setIsAdding(false)} />}
      {hasTriggers(text) && <p className="notice waiting">What stands under “on” acts once this is added as a pipeline; a run that is started here runs once.</p>}
      <div className="columns submit">
        <Card className="flush editor-card" title="pipeline.yaml" aside={<span className="minor">Tab indents, Escape then Tab leaves</span>}>
          <YamlEditor text={text} problems={problems} onChange={setText} onSubmit={() => maySubmit && isReady && void submit()} />
          <Problems problems={problems} />
        </Card>
        <div>
          {maySubmit && (
            <Card title="What the run is for">
              <input className="wide" value={reason} maxLength={1000} onChange={(event) => setReason(event.target.value)} placeholder="optional; shown on the run’s page" aria-label="What the run is for" />
            </Card>
          )}
          <Plan check={check.result} error={check.error} parameters={parameters} onParameters={setParameters} />
        </div>
      </div>
    </>
  );
}

interface Check {
  result?: PipelineCheck;
  error?: ApiError;
  isStale: boolean;
}

/** The server's opinion of the text, asked for shortly after the last key. */
function useCheck(text: string, parameters: Record<string, string>): Check {
  const [state, setState] = useState<{ of: string; result?: PipelineCheck; error?: ApiError }>({ of: '' });
  const place = at('/api/v1/pipelines/check', named(parameters));
  const of = place.url + '\n' + text;
  useEffect(() => {
    if (text.trim() === '') return;
    const abort = new AbortController();
    const timer = setTimeout(
      () =>
        void send('post', place, text, abort.signal).then(
          (result) => setState({ of, result }),
          (error) => abort.signal.aborted || setState((old) => ({ ...old, of, error: error as ApiError })),
        ),
      250,
    );
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [of]);
  return { result: state.result, error: state.error, isStale: state.of !== of };
}

/** Parameters of a pipeline, as its routes take them. */
const named = (parameters: Record<string, string>) => Object.fromEntries(Object.entries(parameters).map(([name, value]) => [`param.${name}` as const, value]));

function Verdict({ check }: { check: Check }) {
  const count = check.result?.problems.length ?? 0;
  const text = check.isStale || !check.result ? 'checking…' : count === 0 ? 'ready to run' : counted(count, 'problem');
  return (
    <span className={`verdict ${check.isStale || !check.result ? '' : count === 0 ? 'good' : 'bad'}`} role="status">
      {text}
    </span>
  );
}

const Problems = ({ problems }: { problems: Problem[] }) =>
  problems.length === 0 ? null : (
    <ol className="problems" aria-label="Problems">
      {problems.map((problem, i) => (
        <li key={i}>
          <span className="figures">{problem.line > 0 ? `${problem.line}:${problem.column}` : problem.place}</span>
          {problem.message}
        </li>
      ))}
    </ol>
  );

function Plan({ check, error, parameters, onParameters }: { check?: PipelineCheck; error?: ApiError; parameters: Record<string, string>; onParameters: (values: Record<string, string>) => void }) {
  const [last, setLast] = useState(check?.plan);
  useEffect(() => {
    if (check?.plan) setLast(check.plan);
  }, [check]);
  if (error) return <ErrorBox error={error} />;
  if (!check) return <Card title="Plan"><Loading /></Card>;
  if (!last) return <Card title="Plan"><Empty title="No plan yet">It appears when the file has no problems.</Empty></Card>;
  const cached = last.steps.filter((step) => step['is-cached']).length;
  const missing = [...new Set(last.steps.filter((step) => !step['is-offered']).map((step) => `${step.kind} on ${step.device}`))];
  return (
    <>
      <Card title={`Plan of ${last.name}`} className={check.plan ? '' : 'stale'} aside={<span className="minor figures">{counted(last.steps.length, 'step')}{cached > 0 && `, ${cached} already done`}</span>}>
        <Dag
          isDown
          nodes={last.steps.map((step) => ({
            name: step.name,
            needs: step.needs,
            state: step.outlook === 'refused' ? 'failed' : step['is-cached'] ? 'cached' : 'waiting',
            isMinor: step['is-implicit'],
            lines: [step.kind, step.outlook === 'refused' ? 'refused' : step['is-cached'] ? 'cached' : step.outlook === 'skipped' ? 'skipped' : step.when ? 'if …' : step.key ? 'new' : 'later'],
          }))}
        />
        {missing.length > 0 && <p className="notice">No worker offers {missing.join(', ')} now: these steps will wait for one.</p>}
        {last.steps.some((step) => step.when) && (
          <ul className="conditions">
            {last.steps.filter((step) => step.when).map((step) => (
              <li key={step.name}>
                <Tag>{step.name}</Tag> only if <code>{step.when}</code>
              </li>
            ))}
          </ul>
        )}
      </Card>
      <Costs plan={last} isStale={!check.plan} />
      {Object.keys(last.parameters).length > 0 && (
        <Card title="Parameters" aside={Object.keys(parameters).length > 0 && <button className="quiet" onClick={() => onParameters({})}>as in the file</button>}>
          <div className="parameters">
            {Object.entries(last.parameters).map(([name, value]) => (
              <label key={name}>
                {name}
                <input value={parameters[name] ?? value} spellCheck={false} onChange={(event) => onParameters({ ...parameters, [name]: event.target.value })} />
              </label>
            ))}
          </div>
        </Card>
      )}
    </>
  );
}
