import { useState } from 'react';

/** Copies a text, and says so. */
export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [copied, setCopied] = useState(false);
  const copy = () =>
    void navigator.clipboard?.writeText(text).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1200);
    });
  return (
    <button className="quiet copy" onClick={copy} aria-live="polite">
      {copied ? 'Copied' : label}
    </button>
  );
}

/** Commands to run in a terminal, with a button that copies them. */
export const Command = ({ text }: { text: string }) => (
  <div className="command">
    <pre tabIndex={0}>{text}</pre>
    <CopyButton text={text} />
  </div>
);
