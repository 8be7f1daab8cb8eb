/** What an empty editor shows: the shortest pipeline that trains something. */
export const example = `# Trains a tiny mixture of experts, prunes it, measures both.
name: first-steps
params: { seed: 7, tokens: 96k }
stages:
  base:
    uses: train
    with:
      model: { family: olmoe, layers: 2, hidden: 64, heads: 2, experts: 4, top-k: 2, expert-size: 64, vocabulary: bytes }
      data: corpus:tiny
      tokens: \${tokens}
      length: 128
      batch: 8
      learning-rate: 3e-3
      balance: loss-free
      seed: \${seed}
  slim:
    uses: prune
    needs: base
    with: { method: heapr, ratio: 0.25, calibration: { data: corpus:tiny, samples: 32, length: 128 }, seed: "\${seed}" }
  scores:
    uses: evaluate
    needs: [base, slim]
    with: { tasks: [validation-loss, routing], data: corpus:tiny, length: 128 }
  release:
    uses: register
    needs: [slim, scores]
    with: { name: first-steps, alias: candidate }
`;

/** The same as a pipeline that starts by itself: what a page without triggers offers. */
export const triggerExample = example
  .replace('# Trains a tiny', '# Once this is added, what stands under \'on\' starts it. It trains a tiny')
  .replace('name: first-steps\n', 'name: nightly-steps\n')
  .replace(
    'stages:\n',
    `on:
  schedule:
    cron: "30 2 * * *" # minute, hour, day of month, month, day of week
    time-zone: Europe/Berlin
  model.registered:
    model: "base-*"
    when: event.version > 1
    params: { seed: "\${event.version}" }
stages:
`,
  );
