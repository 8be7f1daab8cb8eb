import { useState } from 'react';
import { type Resource, useResource } from '../api/client';
import type { Place } from '../api/place';
import type { Run, RunPlan } from '../api/types';
import { Card, Facts, Segments } from '../parts/bits';
import { CopyButton } from './copy';
import { Loaded } from '../parts/states';
import { YamlText } from '../parts/yaml-editor';

const forms = ['as submitted', 'as resolved'] as const;

/** The run's parameters, and its file: as it was submitted, and with every option that was filled in. */
export function RunFile({ run, place, plan }: { run: Run; place: Place<'/api/v1/runs/{id}'>; plan: Resource<RunPlan> }) {
  const source = useResource(place.under('/source'));
  const [form, setForm] = useState<(typeof forms)[number]>('as submitted');
  const text = form === 'as submitted' ? source.data?.pipeline : plan.data?.resolved;
  const parameters = Object.entries(source.data?.parameters ?? {});
  return (
    <>
      {parameters.length > 0 && (
        <Card title="Parameters" className="parameters-card">
          <Facts facts={parameters.map(([name, value]) => [name, <code key={name}>{value}</code>])} />
        </Card>
      )}
      <Card
        title={run['file-name']}
        aside={
          <>
            <Segments className="small" options={forms} value={form} onChange={setForm} label="The file" />
            {text && <CopyButton text={text} />}
          </>
        }
      >
        <Loaded resource={source}>
          {() =>
            text === undefined ? (
              <p className="minor">{plan.error ? plan.error.message : 'Loading…'}</p>
            ) : (
              <div className="file">
                <YamlText text={text} />
              </div>
            )
          }
        </Loaded>
      </Card>
    </>
  );
}
