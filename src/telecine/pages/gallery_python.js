// The settings of a clip as Python: the call that made it, as far as the file says.

const PYTHON_ESCAPES = new Map([["\\", "\\\\"], ["'", "\\'"], ["\n", "\\n"], ["\r", "\\r"], ["\t", "\\t"]]);

/** Write text as a literal of Python's, in ASCII. @param {string} text */
function pythonText(text) {
  return `'${Array.from(text, pythonCharacter).join("")}'`;
}

/** @param {string} character */
function pythonCharacter(character) {
  const escape = PYTHON_ESCAPES.get(character);
  if (escape !== undefined) return escape;
  const code = character.codePointAt(0) || 0;
  if (code >= 0x20 && code < 0x7f) return character;
  const digits = code.toString(16);
  if (code < 0x100) return `\\x${digits.padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
}

/** Write JSON as Python: its numbers stay as they are, which JavaScript would round. @param {string} json */
function pythonValue(json) {
  /** @type {Record<string, string>} */
  const words = { true: "True", false: "False", null: "None" };
  return json.replace(/"(?:[^"\\]|\\.)*"|true|false|null/g, (token) => words[token] ?? pythonText(JSON.parse(token)));
}

/** Give what a clip says under a name, as Python; nothing where it does not. @param {ClipRow} clip @param {string} name */
function pythonFact(clip, name) {
  const { [name]: text } = clip.texts;
  const { [name]: json = text !== undefined && /^-?\d+(\.\d+)?$/.test(text) ? text : undefined } = clip.values;
  if (json !== undefined) return pythonValue(json);
  return text === undefined ? undefined : pythonText(text);
}

/** Give the call that made a clip. @param {ClipRow} clip */
function asPython(clip) {
  const model = pythonFact(clip, "model");
  const seed = pythonFact(clip, "seed");
  const generator = seed?.startsWith("[") ? `[torch.Generator().manual_seed(seed) for seed in ${seed}]` : `torch.Generator().manual_seed(${seed})`;
  const call = [
    ["prompt", pythonFact(clip, "prompt")],
    ["negative_prompt", pythonFact(clip, "negative_prompt")],
    ["num_inference_steps", pythonFact(clip, "steps")],
    ["guidance_scale", pythonFact(clip, "guidance_scale")],
    ["generator", seed === undefined ? undefined : generator],
  ].filter(([, value]) => value !== undefined);
  const fps = /^\d+$/.test(clip.fps) ? clip.fps : pythonText(clip.fps);
  const name = pythonText(clip.name.split("/").pop() || "");
  return [
    "import telecine",
    "import torch",
    "from diffusers import DiffusionPipeline",
    "",
    model === undefined ? "pipe = ...  # the file does not say which model made it" : `pipe = DiffusionPipeline.from_pretrained(${model})`,
    "call = {",
    ...call.map(([key, value]) => `    '${key}': ${value},`),
    "}",
    `frames = pipe(**call).frames  # ${clip.frames} of ${clip.width}x${clip.height}`,
    `facts = telecine.generation_metadata(pipe, **call, fps=${fps})`,
    `telecine.export_video(frames, ${name}, fps=${fps}, metadata=facts)`,
    "",
  ].join("\n");
}
