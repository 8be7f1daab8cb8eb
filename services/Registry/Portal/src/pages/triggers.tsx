import { useCallback } from 'react';
import { useAction, useResource } from '../api/client';
import { at } from '../api/place';
import { fieldsOf, type Firing, type Trigger, type TriggerEvent } from '../api/types';
import { Ago, Card, Live, PageHead, Tag } from '../parts/bits';
import { useMay } from '../parts/role';
import { Empty, ErrorBox, Loaded } from '../parts/states';
import { EventFields, Made, Outcome, pipelinePath, Soon, TriggerLink, TriggerSwitch, TriggerWhy, useTriggerNews } from '../parts/trigger-bits';
import { Link } from '../router';

/** What starts pipelines by itself, and what each event became. */
export function TriggersPage() {
  const triggers = useResource(at('/api/v1/triggers', {}));
  const events = useResource(at('/api/v1/triggers/events', { limit: 50 }));
  const reload = useCallback(() => {
    triggers.reload();
    events.reload();
  }, [triggers.reload, events.reload]);
  const connection = useTriggerNews(reload);
  const action = useAction();
  return (
    <>
      <PageHead title="Triggers" lead="What starts pipelines automatically, and what each event led to.">
        <Live connection={connection} />
      </PageHead>
      {action.error && <ErrorBox error={action.error} />}
      <Card className="flush">
        <Loaded resource={triggers}>{(all) => (all.length === 0 ? <NoTriggers /> : <TriggerTable triggers={all} action={action} reload={reload} />)}</Loaded>
      </Card>
      <Card title="Recent events" className="flush" aside={<span className="minor">newest first</span>}>
        <Loaded resource={events}>{(all) => <EventTable events={all} />}</Loaded>
      </Card>
    </>
  );
}

function NoTriggers() {
  const maySubmit = useMay('submitter');
  return (
    <Empty title="No triggers yet">
      <p>
        A pipeline lists its triggers under <code>on</code>: a registry event, the end of another run, a schedule, a webhook, or a new file or blob.
      </p>
      <p>
        They are active once the pipeline is added: <code>espalier pipelines add FILE</code>
        {maySubmit && (
          <>
            , or <Link href="/submit?example=trigger">write one here</Link>
          </>
        )}
        .
      </p>
    </Empty>
  );
}

/** Triggers with their switches; on the page of a pipeline all of them start the same. */
export function TriggerTable({ triggers, isOfOne, action, reload }: { triggers: Trigger[]; isOfOne?: boolean; action: ReturnType<typeof useAction>; reload: () => void }) {
  return (
    <div className="scroll">
      <table className="stacked" aria-label="Triggers">
        <thead>
          <tr>
            <th>Trigger</th>
            {!isOfOne && <th>Starts</th>}
            <th>When</th>
            <th>State</th>
            <th className="number">Next</th>
          </tr>
        </thead>
        <tbody>
          {triggers.map((trigger) => (
            <tr key={trigger.name}>
              <td className="name">
                <TriggerLink name={trigger.name} />
                {trigger.owner && <div className="minor">owner: {trigger.owner}</div>}
              </td>
              {!isOfOne && (
                <td className="name">
                  <Link href={pipelinePath(trigger.pipeline)}>{trigger.pipeline}</Link>
                </td>
              )}
              <td className="prose">
                <Tag>{trigger.kind}</Tag>
                <Filter trigger={trigger} />
              </td>
              <td className="prose">
                <TriggerSwitch trigger={trigger} action={action} reload={reload} />
                <TriggerWhy trigger={trigger} className="minor" />
              </td>
              <td className={`number ${isComing(trigger) ? '' : 'blank'}`} data-name="next">
                {isComing(trigger) ? <Soon time={trigger.next} /> : <span className="minor">–</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const isComing = (trigger: Trigger) => trigger.next !== undefined && trigger.enabled && !trigger.paused;

/** Which events are meant: the filter, and the kind's own names. */
export function Filter({ trigger }: { trigger: Trigger }) {
  const settings = fieldsOf(trigger.settings);
  const { when } = settings;
  const own = ['model', 'alias', 'dataset', 'pipeline', 'cron', 'schedule', 'path', 'blobs', 'pattern'].flatMap((name) => {
    const value = settings[name];
    return typeof value === 'string' && value !== '*' ? [`${name} ${value}`] : [];
  });
  return (
    <>
      {own.map((each) => (
        <Tag key={each}>{each}</Tag>
      ))}
      {typeof when === 'string' && <code>{when}</code>}
    </>
  );
}

function EventTable({ events }: { events: TriggerEvent[] }) {
  if (events.length === 0) return <Empty title="No events yet">Ended runs, new versions, moved aliases, gate decisions, new datasets, webhook requests, and new files or blobs in watched places are listed here, with what they started.</Empty>;
  return (
    <div className="scroll">
      <table className="stacked" aria-label="Recent events">
        <thead>
          <tr>
            <th className="number">Number</th>
            <th>Event</th>
            <th>Outcome</th>
            <th className="number">When</th>
          </tr>
        </thead>
        <tbody>
          {events.map((event) => (
            <tr key={event.id}>
              <td className="number">#{event.id}</td>
              <td className="prose">
                <b>{event.kind}</b>
                <div>
                  <EventFields event={event} />
                </div>
              </td>
              <td className="prose">
                <Became firings={event.firings} />
              </td>
              <td className="number">
                <Ago time={event.at} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What triggers made of an event; those that it was not for stand folded below the others. */
function Became({ firings }: { firings: Firing[] }) {
  if (firings.length === 0) return <span className="minor">no trigger for this event</span>;
  const others = firings.filter((firing) => firing.state === 'no-match');
  const line = (firing: Firing) => (
    <div key={firing.trigger}>
      <Outcome state={firing.state} /> <TriggerLink name={firing.trigger} /> <Made firing={firing} />
    </div>
  );
  return (
    <>
      {firings.filter((firing) => firing.state !== 'no-match').map(line)}
      {others.length === 1 && others.map(line)}
      {others.length > 1 && (
        <details>
          <summary className="minor">{others.length} triggers did not match</summary>
          {others.map(line)}
        </details>
      )}
    </>
  );
}
