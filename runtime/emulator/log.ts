/** Log lines as ComfyUI 0.33 writes them: on stderr, with a coloured level in front. */
const LEVELS = {
  info: "\x1b[32m[INFO]\x1b[0m",
  warning: "\x1b[1m\x1b[33m[WARNING]\x1b[0m",
  error: "\x1b[1m\x1b[31m[ERROR]\x1b[0m",
};

/** Writes lines as they are. Synchronous, so that the last line survives a crash. */
function raw(text: string): void {
  process.stderr.write(`${text}\n`);
}

export const log = {
  raw,
  info: (text: string) => raw(`${LEVELS.info} ${text}`),
  warning: (text: string) => raw(`${LEVELS.warning} ${text}`),
  error: (text: string) => raw(`${LEVELS.error} ${text}`),
};
