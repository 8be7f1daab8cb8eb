import { type ChangeEvent, useState } from 'react';
import { useFile, ApiError } from '../api/client';
import { Card, PageHead } from '../parts/bits';
import { Empty, ErrorBox, Loading } from '../parts/states';
import { duration } from '../format';

interface Matrix {
  seed: number;
  points: Point[];
}

interface Point {
  number: number;
  family: string;
  store: string;
  what: string;
  'is-good': boolean;
  seconds: number;
  'extra-attempts': number;
  'extra-units': number;
  complaints: string[];
}

/** What was crashed where, and whether every promise was kept: the newest matrix of the server, or a file. */
export function CrashMatrixPage() {
  const stored = useFile<Matrix>('/api/v1/crash-matrix');
  const [opened, setOpened] = useState<{ name: string; matrix: Matrix }>();
  const [problem, setProblem] = useState<ApiError>();
  const open = async (event: ChangeEvent<HTMLInputElement>) => {
    const file = event.target.files?.[0];
    if (!file) return;
    try {
      setOpened({ name: file.name, matrix: check(JSON.parse(await file.text())) });
      setProblem(undefined);
    } catch (error) {
      setProblem(new ApiError(0, `${file.name} is not a crash matrix: ${(error as Error).message}`));
    }
  };
  const matrix = opened?.matrix ?? stored.data;
  return (
    <>
      <PageHead title="Crash matrix" lead="Processes killed at every boundary, servers stopped, messages duplicated: each run must end as if nothing had happened.">
        <label className="button">
          Open a file
          <input type="file" accept=".json,application/json" hidden onChange={(event) => void open(event)} />
        </label>
      </PageHead>
      {problem && <ErrorBox error={problem} />}
      {matrix ? (
        <MatrixView matrix={matrix} name={opened?.name} />
      ) : stored.error && stored.error.status !== 404 ? (
        <ErrorBox error={stored.error} retry={stored.reload} />
      ) : stored.error ? (
        <Card>
          <Empty title="No crash matrix yet">
            Create one with <code>dotnet run --project tests/CrashMatrix -- --json crash-matrix.json</code>. Then open the file here, or set <code>portal:crash-matrix</code> to its path.
          </Empty>
        </Card>
      ) : (
        <Card>
          <Loading />
        </Card>
      )}
    </>
  );
}

function check(value: unknown): Matrix {
  const matrix = value as Matrix;
  if (!Array.isArray(matrix?.points) || !matrix.points.every((p) => typeof p.what === 'string' && typeof p['is-good'] === 'boolean' && Array.isArray(p.complaints))) throw new Error('it contains no points');
  return matrix;
}

function MatrixView({ matrix, name }: { matrix: Matrix; name?: string }) {
  const good = matrix.points.filter((p) => p['is-good']).length;
  const families = [...Map.groupBy(matrix.points, (p) => p.family)].sort(([a], [b]) => a.localeCompare(b));
  const [at, setAt] = useState<Point>();
  return (
    <>
      <div className="figures-row">
        <div className="figure">
          <b>{matrix.points.length}</b>points{name ? ` in ${name}` : ''}
        </div>
        <div className="figure">
          <b>{good}</b>passed
        </div>
        <div className={`figure ${good < matrix.points.length ? 'bad' : ''}`}>
          <b>{matrix.points.length - good}</b>failed
        </div>
        <div className="figure">
          <b>{matrix.points.reduce((sum, p) => sum + p['extra-attempts'], 0)}</b>extra attempts
        </div>
      </div>
      <Card title="By family" aside={<span className="minor">one square per point; seed {matrix.seed}</span>}>
        <div className="matrix">
          {families.map(([family, points]) => (
            <div key={family}>
              <span>{family}</span>
              <span className="cells">
                {points.map((p) => (
                  <button key={p.number} className={p['is-good'] ? 'good' : 'bad'} aria-label={`Point ${p.number}: ${p.what}, ${p['is-good'] ? 'passed' : 'failed'}`} aria-pressed={at === p} onClick={() => setAt(p)} />
                ))}
              </span>
            </div>
          ))}
        </div>
      </Card>
      {at && (
        <Card title={`Point ${at.number}`}>
          <p className="mono">{at.what}</p>
          <p className="minor">
            {at.store}, {duration(at.seconds)}, {at['extra-attempts']} extra attempts, {at['extra-units']} units repeated
          </p>
          {at.complaints.map((complaint, i) => (
            <p key={i} className="notice failed">
              {complaint}
            </p>
          ))}
        </Card>
      )}
    </>
  );
}
