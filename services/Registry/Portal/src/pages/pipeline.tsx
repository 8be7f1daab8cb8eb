import { type FormEvent, useCallback, useEffect, useState } from 'react';
import { send, useAction, useResource } from '../api/client';
import { type Place, at } from '../api/place';
import type { Pipeline, Run } from '../api/types';
import { Ago, Card, PageHead, State, Tag } from '../parts/bits';
import { Dialog } from '../parts/dialog';
import { useMay } from '../parts/role';
import { Empty, ErrorBox, Loaded, Loading } from '../parts/states';
import { TriggerLink, useTriggerNews } from '../parts/trigger-bits';
import { YamlText } from '../parts/yaml-editor';
import { Link, navigate } from '../router';
import { TriggerTable } from './triggers';

/** One pipeline: what starts it, its versions with their text, and its runs. */
export function PipelinePage({ name }: { name: string }) {
  const place = at('/api/v1/pipelines/{name}', { name });
  const pipeline = useResource(place);
  const runs = useResource(at('/api/v1/runs', { limit: 50, pipeline: name }));
  const reload = useCallback(() => {
    pipeline.reload();
    runs.reload();
  }, [pipeline.reload, runs.reload]);
  useTriggerNews(reload);
  const [version, setVersion] = useState<number>();
  const [asks, setAsks] = useState<'run' | 'remove'>();
  const maySubmit = useMay('submitter');
  const action = useAction();
  return (
    <Loaded resource={pipeline} lines={8}>
      {(data) => (
        <>
          <PageHead
            title={name}
            lead={
              <>
                version {data.version} of {data['file-name']} · added by {data.owner} <Ago time={data.created} />
              </>
            }
          >
            {maySubmit && (
              <>
                <button className="danger" onClick={() => setAsks('remove')}>
                  Remove
                </button>
                <Link className="button" href={`/submit?pipeline=${encodeURIComponent(name)}`}>
                  Edit
                </Link>
                <button className="primary" onClick={() => setAsks('run')}>
                  Run
                </button>
              </>
            )}
          </PageHead>
          {action.error && <ErrorBox error={action.error} />}
          <Card title="Triggers" className="flush">
            {data.triggers.length === 0 ? (
              <Empty title="It runs only when somebody starts it">
                List its triggers under <code>on</code>: choose “Edit”, and add the pipeline again.
              </Empty>
            ) : (
              <TriggerTable triggers={data.triggers} isOfOne action={action} reload={reload} />
            )}
          </Card>
          <div className="columns">
            <div>
              <VersionText place={place} newest={data} version={version} />
              <Runs name={name} runs={runs.data} />
            </div>
            <Versions pipeline={data} shown={version ?? data.version} onShow={setVersion} />
          </div>
          {asks === 'run' && <RunDialog place={place} pipeline={data} onClose={() => setAsks(undefined)} />}
          {asks === 'remove' && <RemoveDialog place={place} pipeline={data} onClose={() => setAsks(undefined)} />}
        </>
      )}
    </Loaded>
  );
}

function Versions({ pipeline, shown, onShow }: { pipeline: Pipeline; shown: number; onShow: (version: number) => void }) {
  return (
    <Card title="Versions">
      <ol className="history" aria-label="Versions">
        {(pipeline.versions ?? []).map((each) => (
          <li key={each.version} className="with-action">
            <span>
              {each.version} {each.version === pipeline.version && <Tag tone="accent">current</Tag>}
              <span className="minor">
                {' '}
                {each.owner}, <Ago time={each.created} />
              </span>
            </span>
            <button className="quiet" aria-pressed={each.version === shown} disabled={each.version === shown} onClick={() => onShow(each.version)}>
              {each.version === shown ? 'shown' : 'Show'}
            </button>
          </li>
        ))}
      </ol>
    </Card>
  );
}

function VersionText({ place, newest, version }: { place: Place<'/api/v1/pipelines/{name}'>; newest: Pipeline; version?: number }) {
  const isOlder = version !== undefined && version !== newest.version;
  const older = useResource(isOlder ? place.with({ version }) : null);
  return (
    <Card title={isOlder ? `Version ${version}` : newest['file-name']} aside={isOlder && <span className="minor">not the current version</span>}>
      {isOlder ? <Loaded resource={older}>{(data) => <YamlText text={data.pipeline ?? ''} />}</Loaded> : <YamlText text={newest.pipeline ?? ''} />}
    </Card>
  );
}

function Runs({ name, runs }: { name: string; runs?: Run[] }) {
  const own = runs?.filter((run) => run.pipeline === name).slice(0, 20);
  return (
    <Card title="Recent runs" className="flush">
      {own === undefined ? (
        <Loading />
      ) : own.length === 0 ? (
        <Empty title="No recent runs" />
      ) : (
        <div className="scroll">
          <table className="rows" aria-label="Recent runs">
            <tbody>
              {own.map((run) => (
                <tr key={run['run-id']} onClick={() => navigate(`/runs/${run['run-id']}`)}>
                  <td>
                    <Link href={`/runs/${run['run-id']}`} onClick={(event) => event.stopPropagation()}>
                      {run.label}
                    </Link>
                    <span className="minor"> version {run['pipeline-version']}</span>
                  </td>
                  <td onClick={(event) => event.stopPropagation()}>{run.cause ? <TriggerLink name={run.cause.trigger} /> : <span className="minor">{run.owner}</span>}</td>
                  <td>
                    <State state={run.state} />
                  </td>
                  <td className="number">
                    <Ago time={run.created} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}

/** Starts a run of the newest version; the parameters are those that the file has. */
function RunDialog({ place, pipeline, onClose }: { place: Place<'/api/v1/pipelines/{name}'>; pipeline: Pipeline; onClose: () => void }) {
  const [usual, setUsual] = useState<Record<string, string>>();
  const [given, setGiven] = useState<Record<string, string>>({});
  const check = useAction();
  const action = useAction();
  useEffect(() => {
    void check.run(async () => {
      const result = await send('post', at('/api/v1/pipelines/check', {}), pipeline.pipeline ?? '');
      setUsual(result.plan?.parameters ?? {});
    });
  }, [pipeline.pipeline]);
  const start = (event: FormEvent) => {
    event.preventDefault();
    void action.run(async () => {
      const changed = Object.entries(given).filter(([name, value]) => value !== usual?.[name]);
      const accepted = await send('post', place.under('/runs', Object.fromEntries(changed.map(([name, value]) => [`param.${name}`, value]))));
      navigate(`/runs/${accepted['run-id']}`);
    });
  };
  return (
    <Dialog title={`Run ${pipeline.name}?`} onClose={onClose}>
      <form className="stack" onSubmit={start}>
        <p>This starts a run of version {pipeline.version} in your name.</p>
        {usual === undefined && !check.error && <Loading lines={2} />}
        {usual && (
          <div className="parameters">
            {Object.entries(usual).map(([name, value]) => (
              <label key={name}>
                {name}
                <input value={given[name] ?? value} spellCheck={false} onChange={(event) => setGiven({ ...given, [name]: event.target.value })} />
              </label>
            ))}
          </div>
        )}
        {check.error && <ErrorBox error={check.error} />}
        {action.error && <ErrorBox error={action.error} />}
        <div className="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button className="primary" disabled={action.busy || (usual === undefined && !check.error)}>
            Start the run
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function RemoveDialog({ place, pipeline, onClose }: { place: Place<'/api/v1/pipelines/{name}'>; pipeline: Pipeline; onClose: () => void }) {
  const action = useAction();
  const remove = () =>
    action.run(async () => {
      await send('delete', place);
      navigate('/pipelines');
    });
  return (
    <Dialog title={`Remove ${pipeline.name}?`} onClose={onClose}>
      <p>
        {pipeline.triggers.length > 0 && <>Its {pipeline.triggers.length === 1 ? 'trigger stops' : `${pipeline.triggers.length} triggers stop`} working. </>}
        Runs in progress continue, and their results are kept.
      </p>
      {action.error && <ErrorBox error={action.error} />}
      <div className="actions">
        <button onClick={onClose}>Cancel</button>
        <button className="danger" disabled={action.busy} onClick={() => void remove()}>
          Remove pipeline
        </button>
      </div>
    </Dialog>
  );
}
