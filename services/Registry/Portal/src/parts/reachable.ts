const boxes = '.scroll, pre, .log, .dag, .heat-body';
const focusable = 'a[href], button, input, select, textarea, summary, [tabindex]';

/** What scrolls can be scrolled with the keyboard: a box that is larger than its window, and holds nothing that takes the focus, takes it itself. */
export function keepReachable(root: HTMLElement): () => void {
  let timer: number | undefined;
  const look = () => {
    timer = undefined;
    for (const box of root.querySelectorAll<HTMLElement>(boxes)) {
      const scrolls = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
      if (scrolls && !box.querySelector(focusable)) {
        box.tabIndex = 0;
        box.dataset.reachable = '';
      } else if ('reachable' in box.dataset) {
        box.removeAttribute('tabindex');
        delete box.dataset.reachable;
      }
    }
  };
  const soon = () => (timer ??= window.setTimeout(look, 150));
  const mutations = new MutationObserver(soon);
  mutations.observe(root, { childList: true, subtree: true });
  const sizes = new ResizeObserver(soon);
  sizes.observe(root);
  return () => {
    window.clearTimeout(timer);
    mutations.disconnect();
    sizes.disconnect();
  };
}
