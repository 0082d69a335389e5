// What the page was made with: its data, and the files that it holds.

/** @returns {any} */
function pageData() {
  return JSON.parse(document.getElementById("data")?.textContent || "null");
}

/** Give the address of a file that the page holds as base64. @param {string} id @param {string} type */
function heldFile(id, type) {
  const element = document.getElementById(id);
  const binary = atob(element?.textContent?.trim() || "");
  element?.remove(); // which is as large again
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type }));
}
