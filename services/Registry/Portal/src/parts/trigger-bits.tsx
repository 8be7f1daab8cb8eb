import { useEffect } from 'react';
import { send, useAction } from '../api/client';
import { at } from '../api/place';
import { useEvents, useSoon } from '../api/events';
import type { Connection } from '../api/events';
import { fieldsOf, type Firing, type FiringState, type Trigger, type TriggerEvent } from '../api/types';
import { moment, useNow } from '../format';
import { Link } from '../router';
import { Tag } from './bits';
import { useMay } from './role';

export const triggerPath = (name: string) => `/triggers/${encodeURIComponent(name)}`;
export const pipelinePath = (name: string) => `/pipelines/${encodeURIComponent(name)}`;

export const TriggerLink = ({ name }: { name: string }) => <Link href={triggerPath(name)}>{name}</Link>;

/** On, off, paused by itself, stopped since its owner may not start runs, or unable to see what it watches. */
export function TriggerState({ trigger }: { trigger: Trigger }) {
  const [state, word] = stateOf(trigger);
  return (
    <span className={`state ${state}`}>
      <i />
      {word}
    </span>
  );
}

const stateOf = (trigger: Trigger): [string, string] =>
  !trigger.enabled ? ['waiting', 'off'] : trigger.paused ? ['cancelled', 'paused'] : trigger.stopped ? ['cancelled', 'stopped'] : trigger.trouble ? ['failed', 'error'] : ['succeeded', 'on'];

/** Why a trigger that is on starts nothing, or not all that it should; nothing when all is well. */
export function TriggerWhy({ trigger, className }: { trigger: Trigger; className: string }) {
  if (!trigger.enabled) return null;
  const why = trigger.paused || trigger.stopped;
  if (why) return <div className={className}>{why}</div>;
  if (!trigger.trouble) return null;
  return (
    <div className={className}>
      {trigger.trouble} {trigger['trouble-since'] && <>Since {moment(trigger['trouble-since'])}.</>}
    </div>
  );
}

/** The switch of a trigger; who may not use it sees the state only. Switching on also ends a pause. */
export function TriggerSwitch({ trigger, action, reload }: { trigger: Trigger; action: ReturnType<typeof useAction>; reload: () => void }) {
  const maySwitch = useMay('submitter');
  const isOn = trigger.enabled && !trigger.paused;
  if (!maySwitch) return <TriggerState trigger={trigger} />;
  const turn = () =>
    action.run(async () => {
      await send('post', at('/api/v1/triggers/{name}', { name: trigger.name }).under(isOn ? '/disable' : '/enable'));
      reload();
    });
  return (
    <button type="button" className="switch" role="switch" aria-checked={isOn} aria-label={`${trigger.name}: ${stateOf(trigger)[1]}`} disabled={action.busy} onClick={() => void turn()}>
      <i aria-hidden="true" />
      <TriggerState trigger={trigger} />
    </button>
  );
}

const words: Record<FiringState, string> = { 'no-match': 'no match', refused: 'refused', skipped: 'skipped', waiting: 'waiting', started: 'started' };
const tones: Record<FiringState, string> = { 'no-match': 'waiting', refused: 'failed', skipped: 'cancelled', waiting: 'ready', started: 'succeeded' };

/** What an event became, in a word. */
export const Outcome = ({ state, would }: { state: FiringState; would?: boolean }) => (
  <span className={`state ${tones[state]}`}>
    <i />
    {would && state === 'started' ? 'would start' : words[state]}
  </span>
);

/** The run that was started, or why none was. */
export function Made({ firing }: { firing: Firing }) {
  if (firing.run)
    return (
      <>
        → <Link href={`/runs/${firing.run}`}>{firing.label ?? firing.run}</Link>
      </>
    );
  return <span className="minor">{firing.wait?.text || firing.reason || 'its run will start soon'}</span>;
}

/** Names and values in one line. */
export const Values = ({ values }: { values: Record<string, unknown> }) => (
  <>
    {Object.entries(values).map(([name, value]) => (
      <Tag key={name}>
        <span className="minor">{name}</span> {text(value)}
      </Tag>
    ))}
  </>
);

/** What an event says that people can read: no digests, no empty texts; a run by its name. */
export function EventFields({ event }: { event: TriggerEvent }) {
  const { run, root, rule, ...fields } = fieldsOf(event.fields);
  return (
    <>
      {event.label && (
        <Tag>
          <span className="minor">run</span> <Link href={`/runs/${text(run)}`}>{event.label}</Link>
        </Tag>
      )}
      <Values values={Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '' && value !== null && value !== 0))} />
    </>
  );
}

export const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

/** A time to come: today only the clock counts. */
export function Soon({ time }: { time?: string }) {
  const now = useNow(time ? 10_000 : null);
  if (!time) return <span className="minor">–</span>;
  const seconds = (Date.parse(time) - now) / 1000;
  const [minutes, hours, days] = [Math.round(seconds / 60), Math.round(seconds / 3600), Math.round(seconds / 86400)];
  return (
    <time dateTime={time} title={moment(time)}>
      {seconds < 60 ? 'within a minute' : minutes < 90 ? `in ${minutes} min` : hours < 48 ? `in ${hours} h` : `in ${days} d`}
    </time>
  );
}

/** Reads again when a run changes its state, and every few seconds: an event that starts nothing changes no run. */
export function useTriggerNews(reload: () => void): Connection {
  const soon = useSoon(reload, 200);
  const connection = useEvents('/api/v1/runs/events', ['run-state-changed'], { take: soon });
  useEffect(() => {
    const timer = setInterval(() => document.hidden || reload(), 3000);
    return () => clearInterval(timer);
  }, [reload]);
  return connection;
}
