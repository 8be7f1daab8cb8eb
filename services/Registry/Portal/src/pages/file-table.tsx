import { useState } from 'react';
import type { OutputFile } from '../api/types';
import { Digest } from '../parts/bits';
import { bytes } from '../format';
import { FileView, kindOf } from './file-view';

/** Files with sizes and digests; what can be shown here opens below its row. */
export function FileTable({ files, base, open }: { files: OutputFile[]; base: string; open?: string }) {
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
                <td>{file.sha256 ? <Digest value={file.sha256} /> : <span className="minor" title="Its tensors are stored one by one, each with a digest of its own; the file is assembled while it is sent">assembled on download</span>}</td>
                <td className="number">
                  {kind && (
                    <button className="quiet" aria-expanded={isShown} aria-label={`${isShown ? 'Hide' : 'Show'} ${file.path}`} onClick={() => setShown(isShown ? undefined : file.path)}>
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
