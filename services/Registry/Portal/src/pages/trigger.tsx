import { type FormEvent, type ReactNode, useEffect, useState } from 'react';
import { get, useAction, useResource } from '../api/client';
import { type Place, at } from '../api/place';
import { fieldsOf, type Firing, type Trigger, type TriggerEvent, type TriggerReplay } from '../api/types';
import { Ago, Card, Facts, Live, PageHead, Tag } from '../parts/bits';
import { Empty, ErrorBox, Loaded } from '../parts/states';
import { EventFields, Made, Outcome, pipelinePath, Soon, text, TriggerSwitch, TriggerWhy, useTriggerNews, Values } from '../parts/trigger-bits';
import { moment } from '../format';
import { Link } from '../router';

/** One trigger: what it waits for, what it made of the last events, and what it would make of those that are kept. */
export function TriggerPage({ name, event }: { name: string; event: string | null }) {
  const place = at('/api/v1/triggers/{name}', { name });
  const trigger = useResource(place.with({ last: 100 }));
  const connection = useTriggerNews(trigger.reload);
  const action = useAction();
  return (
    <Loaded resource={trigger} lines={8}>
      {(data) => (
        <>
          <PageHead
            title={data.name}
            lead={
              <>
                Starts <Link href={pipelinePath(data.pipeline)}>{data.pipeline}</Link>
                {data.owner && <> on behalf of {data.owner}</>}
                {data.next && data.enabled && !data.paused && (
                  <>
                    {' '}
                    · next <Soon time={data.next} /> <span className="minor">({moment(data.next)})</span>
                  </>
                )}
              </>
            }
          >
            <Live connection={connection} />
            <TriggerSwitch trigger={data} action={action} reload={trigger.reload} />
          </PageHead>
          {action.error && <ErrorBox error={action.error} />}
          <TriggerWhy trigger={data} className="notice" />
          <div className="columns">
            <div>
              <History trigger={data} event={event} />
              <DryRun trigger={data} place={place} />
            </div>
            <Card title="Settings">
              <Facts facts={facts(data)} />
            </Card>
          </div>
        </>
      )}
    </Loaded>
  );
}

const usual: Record<string, unknown> = { priority: 0, 'max-depth': 8, 'pause-after': 5, proof: 'signature', 'catch-up': 'none' };

/** The settings that say something: what is as usual is left out. */
function facts(trigger: Trigger): [string, ReactNode][] {
  const { when, params, ...rest } = fieldsOf(trigger.settings);
  const isPlain = (value: unknown) => value === null || value === undefined || value === '*';
  return [
    ['event', <Tag>{trigger.kind}</Tag>],
    ['address', trigger.kind === 'webhook' ? <code>POST /api/v1/hooks/{trigger.name}</code> : undefined],
    ['when', typeof when === 'string' ? <code>{when}</code> : undefined],
    ...Object.entries(rest)
      .filter(([name, value]) => !isPlain(value) && usual[name] !== value)
      .map(([name, value]): [string, ReactNode] => [name, typeof value === 'object' ? <Values values={value as Record<string, unknown>} /> : text(value)]),
    ...Object.entries((params ?? {}) as Record<string, string>).map(([name, value]): [string, ReactNode] => [`parameter ${name}`, <code>{value}</code>]),
    ['failed runs in a row', trigger.failures > 0 ? `${trigger.failures} of ${text(fieldsOf(trigger.settings)['pause-after'] ?? usual['pause-after'])}` : undefined],
  ];
}

/** What it made of the last events, with what they said. */
function History({ trigger, event }: { trigger: Trigger; event: string | null }) {
  const newest = trigger.firings?.[0]?.event;
  const events = useResource(newest === undefined ? null : at('/api/v1/triggers/events', { kind: trigger.kind, limit: 200 }));
  useEffect(() => events.reload(), [newest]);
  const byId = new Map(events.data?.map((each) => [each.id, each]));
  const firings = trigger.firings ?? [];
  const started = firings.filter((firing) => firing.run).length;
  return (
    <Card title="Recent events" className="flush" aside={firings.length > 0 && <span className="minor figures">{started} of {firings.length} started a run</span>}>
      {firings.length === 0 ? (
        <Empty title="No events yet">Events from before the trigger was added are not listed; the dry run below replays them.</Empty>
      ) : (
        <div className="scroll">
          <table className="stacked" aria-label="Events of the trigger">
            <thead>
              <tr>
                <th className="number">Event</th>
                <th>Outcome</th>
                <th>Details</th>
                <th className="number">When</th>
              </tr>
            </thead>
            <tbody>
              {firings.map((firing) => (
                <HistoryRow key={firing.event} firing={firing} happened={byId.get(firing.event)} isMeant={event === String(firing.event)} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}

const HistoryRow = ({ firing, happened, isMeant }: { firing: Firing; happened?: TriggerEvent; isMeant: boolean }) => (
  <tr id={`event-${firing.event}`} className={isMeant ? 'meant' : ''} aria-current={isMeant || undefined}>
    <td className="number">#{firing.event}</td>
    <td className="prose">
      <Outcome state={firing.state} /> <Made firing={firing} />
      {Object.keys(firing.parameters).length > 0 && (
        <div>
          <Values values={firing.parameters} />
        </div>
      )}
    </td>
    <td className="prose">{happened && <EventFields event={happened} />}</td>
    <td className="number">
      <Ago time={firing.at} />
    </td>
  </tr>
);

/** Replays stored events against the trigger as it is now. Nothing is started. */
function DryRun({ trigger, place }: { trigger: Trigger; place: Place<'/api/v1/triggers/{name}'> }) {
  const [last, setLast] = useState('200');
  const [replay, setReplay] = useState<TriggerReplay>();
  const action = useAction();
  const test = (event: FormEvent) => {
    event.preventDefault();
    void action.run(async () => setReplay(await get(place.under('/test', { last: Number(last) }))));
  };
  const would = replay?.items.filter((item) => item.state === 'started').length ?? 0;
  const mattered = replay?.items.filter((item) => item.state !== 'no-match').reverse() ?? [];
  return (
    <Card title="Dry run">
      <form className="inline" onSubmit={test}>
        <label>
          Replay the last <input className="narrow" type="number" min={1} max={1000} required aria-label="How many events" value={last} onChange={(event) => setLast(event.target.value)} /> events of {trigger.kind}
        </label>
        <button disabled={action.busy}>{action.busy ? 'Replaying…' : 'Replay'}</button>
        <span>No run is started.</span>
      </form>
      {action.error && <ErrorBox error={action.error} />}
      {replay && (
        <div className="replay" role="status">
          <p>
            <b>
              {would === 0 ? 'No run' : would === 1 ? '1 run' : `${would} runs`} would have started
            </b>{' '}
            <span className="minor">
              from {replay.items.length} {replay.items.length === 1 ? 'event' : 'events'}
              {replay.items.length > mattered.length && `; ${replay.items.length - mattered.length} did not match`}.
            </span>
          </p>
          {mattered.length > 0 && (
            <div className="scroll">
              <table className="stacked" aria-label="Dry run">
                <thead>
                  <tr>
                    <th className="number">Event</th>
                    <th>Now</th>
                    <th>Then</th>
                    <th className="number">When</th>
                  </tr>
                </thead>
                <tbody>
                  {mattered.map((item) => (
                    <tr key={item.event}>
                      <td className="number">#{item.event}</td>
                      <td className="prose">
                        <Outcome state={item.state} would /> <span className="minor">{item.reason}</span>
                        <div>
                          <Values values={item.parameters} />
                        </div>
                      </td>
                      <td className="prose" data-name="then">{item.happened ? <><Outcome state={item.happened.state} /> <Made firing={item.happened} /></> : <span className="minor">before the trigger was added</span>}</td>
                      <td className="number">
                        <Ago time={item.at} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
          {replay.items.length > mattered.length && (
            <details>
              <summary>Events that did not match</summary>
              <ul className="history">
                {replay.items.filter((item) => item.state === 'no-match').reverse().map((item) => (
                  <li key={item.event}>
                    #{item.event} <span className="minor">{item.reason}</span>
                  </li>
                ))}
              </ul>
            </details>
          )}
        </div>
      )}
    </Card>
  );
}
