// What both pages do alike: drawing once per frame, telling the address and the listener afterwards, and copying.
"use strict";
const Sharing = (() => {
  const QUIET_MS = 250; // browsers count changes of the address, and a voice would read every step of a drag

  /** Call `draw` once in the next frame, however often it is asked for. */
  function oncePerFrame(draw) {
    let asked = 0;
    return () => {
      asked ||= requestAnimationFrame(() => {
        asked = 0;
        draw();
      });
    };
  }

  /** Call `action` when nothing has changed for a quarter of a second. */
  function whenQuiet(action) {
    let timer = 0;
    return () => {
      clearTimeout(timer);
      timer = setTimeout(action, QUIET_MS);
    };
  }

  function setAddress(fragment) {
    try {
      history.replaceState(null, "", `#${fragment}`);
    } catch {
      // A frame without an address of its own, such as a notebook's: there is nothing to share.
    }
  }

  /** What stands behind the # of the address, as it was written. */
  function address() {
    const fragment = location.hash.slice(1);
    try {
      return decodeURIComponent(fragment);
    } catch {
      return fragment; // a lonely % is no code
    }
  }

  /** The number that a text in an address writes in decimals, NaN where it writes none: 0x10 and 1_0 are none. */
  const number = (text) => (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text ?? "") ? Number(text) : NaN);

  /** Every button with data-copy copies the text of the element that it names, and says so. */
  function offerCopies(say) {
    for (const button of document.querySelectorAll("[data-copy]")) {
      button.addEventListener("click", async () => {
        const source = document.getElementById(button.dataset.copy);
        try {
          await navigator.clipboard.writeText(source.textContent);
          say("Copied.");
        } catch {
          getSelection().selectAllChildren(source);
          say("This browser does not let the page copy: the text is selected, copy it by hand.");
        }
      });
    }
  }

  /** Draw again when the window changes its size or turns dark. */
  function onNewLook(draw) {
    let width = innerWidth; // a phone changes its height while it scrolls
    addEventListener("resize", () => {
      if (innerWidth !== width) draw();
      width = innerWidth;
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  }

  return { address, number, offerCopies, oncePerFrame, onNewLook, setAddress, whenQuiet };
})();
