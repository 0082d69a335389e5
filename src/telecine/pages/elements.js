// The elements of a page: how they are made and found, and which keys are not theirs.

/**
 * Make an element of attributes and of parts, which are elements or text, never HTML.
 *
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} parts
 * @returns {HTMLElementTagNameMap[Name]}
 */
function make(name, attributes = {}, ...parts) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...parts);
  return element;
}

/** @param {string} id @returns {HTMLElement} */
function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no ${id}`);
  return element;
}

/** Tell whether a pressed key is for the page: no shortcut, and none that what has the focus takes. @param {KeyboardEvent} event */
function isForPage(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  const isTyped = target.matches("input:not([type='range']), textarea, select");
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyped) return false;
  if (event.key === " ") return !target.matches("button, a, summary, video"); // which it presses or plays
  return !event.key.startsWith("Arrow") || !target.matches("input, video, [role='slider'], [role='tab'], [role='radio']");
}
