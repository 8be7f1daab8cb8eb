import { useState } from 'react';
import { getFile, useAction } from '../api/client';
import type { OutputFile } from '../api/types';
import { Digest } from '../parts/bits';
import { bytes } from '../format';
import { FileView, kindOf } from './file-view';

/** Files with sizes and digests; what can be shown here opens below its row. */
export function FileTable({ files, base, open, digests }: { files: OutputFile[]; base: string; open?: string; digests?: string }) {
  const [shown, setShown] = useState(open);
  const total = files.reduce((sum, file) => sum + file.size, 0);
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label="Files">
      <table aria-label="Files">
        <thead>
          <tr>
            <th>Path</th>
            <th className="number">Size</th>
            <th>SHA-256</th>
            <th />
          </tr>
        </thead>
        {files.map((file) => {
          const at = `${base}/${file.path.split('/').map(encodeURIComponent).join('/')}`;
          const kind = kindOf(file);
          const isShown = shown === file.path;
          return (
            <tbody key={file.path}>
              <tr>
                <td>
                  <a href={at} download>
                    {file.path}
                  </a>
                </td>
                <td className="number" title={`${file.size.toLocaleString('en')} bytes`}>
                  {bytes(file.size)}
                </td>
                <td>
                  <Sha256 file={file} at={digests && `${digests}/${file.path.split('/').map(encodeURIComponent).join('/')}`} />
                </td>
                <td className="number">
                  {kind && (
                    <button className="quiet" aria-expanded={isShown} aria-label={isShown ? `Hide ${file.path}` : `Show ${file.path}${kind === 'safetensors' ? ' header' : ''}`} onClick={() => setShown(isShown ? undefined : file.path)}>
                      {isShown ? 'hide' : kind === 'safetensors' ? 'header' : 'show'}
                    </button>
                  )}
                </td>
              </tr>
              {isShown && kind && (
                <tr className="file-row">
                  <td colSpan={4}>
                    <FileView key={file.path} file={file} at={at} kind={kind} />
                  </td>
                </tr>
              )}
            </tbody>
          );
        })}
        {files.length > 1 && (
          <tbody>
            <tr className="minor">
              <td>{files.length} files</td>
              <td className="number">{bytes(total)}</td>
              <td colSpan={2} />
            </tr>
          </tbody>
        )}
      </table>
    </div>
  );
}

/** A digest that is known, or that the server computes when it is asked for: weight files are assembled from tensors while they are sent. */
function Sha256({ file, at }: { file: OutputFile; at?: string }) {
  const [computed, setComputed] = useState<string>();
  const action = useAction();
  const digest = file.sha256 ?? computed;
  if (digest) return <Digest value={digest} />;
  if (!at) return <span className="minor">–</span>;
  const compute = () => action.run(async () => setComputed((await getFile<{ sha256: string }>(at)).sha256));
  return (
    <button className="quiet" disabled={action.busy} onClick={() => void compute()} aria-label={`Compute the SHA-256 of ${file.path}`} title="Reads the whole file">
      {action.busy ? 'reading…' : action.error ? `failed: ${action.error.message}` : 'compute'}
    </button>
  );
}
