import { useResource } from '../api/client';
import { at } from '../api/place';
import type { Pipeline } from '../api/types';
import { Ago, Card, PageHead } from '../parts/bits';
import { useMay } from '../parts/role';
import { Empty, Loaded } from '../parts/states';
import { pipelinePath, TriggerLink, TriggerState, useTriggerNews } from '../parts/trigger-bits';
import { Link, navigate } from '../router';

/** Pipelines that were added: they have a name, versions, and triggers that act. */
export function PipelinesPage() {
  const pipelines = useResource(at('/api/v1/pipelines', {}));
  useTriggerNews(pipelines.reload);
  const maySubmit = useMay('submitter');
  return (
    <>
      <PageHead title="Pipelines" lead="Pipelines that were added: each has a name, versions, and active triggers.">
        {maySubmit && (
          <Link className="button primary" href="/submit">
            Write a pipeline
          </Link>
        )}
      </PageHead>
      <Card className="flush">
        <Loaded resource={pipelines}>{(all) => (all.length === 0 ? <NoPipelines maySubmit={maySubmit} /> : <PipelineTable pipelines={all} />)}</Loaded>
      </Card>
    </>
  );
}

const NoPipelines = ({ maySubmit }: { maySubmit: boolean }) => (
  <Empty title="No pipeline has been added yet">
    Once added, a pipeline can be run by name, and its triggers can start it: <code>espalier pipelines add FILE</code>
    {maySubmit && (
      <>
        , or “Add as pipeline” in <Link href="/submit">the editor</Link>
      </>
    )}
    .
  </Empty>
);

const PipelineTable = ({ pipelines }: { pipelines: Pipeline[] }) => (
  <div className="scroll">
    <table className="rows" aria-label="Pipelines">
      <thead>
        <tr>
          <th>Pipeline</th>
          <th className="number">Version</th>
          <th>Triggers</th>
          <th>Owner</th>
          <th className="number">Added</th>
        </tr>
      </thead>
      <tbody>
        {pipelines.map((pipeline) => (
          <tr key={pipeline.name} onClick={() => navigate(pipelinePath(pipeline.name))}>
            <td>
              <Link href={pipelinePath(pipeline.name)} onClick={(event) => event.stopPropagation()}>
                {pipeline.name}
              </Link>
            </td>
            <td className="number">{pipeline.version}</td>
            <td onClick={(event) => event.stopPropagation()}>
              {pipeline.triggers.length === 0 && <span className="minor">none</span>}
              {pipeline.triggers.map((trigger) => (
                <div key={trigger.name}>
                  <TriggerLink name={trigger.name} /> <TriggerState trigger={trigger} />
                </div>
              ))}
            </td>
            <td>{pipeline.owner}</td>
            <td className="number">
              <Ago time={pipeline.created} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);
