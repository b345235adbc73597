/** Preloaded into a process under test: writes every module that it loads, and `spawn` when it starts another, to LOADS_NOTED, in order. */
import childProcess from "node:child_process";
import { appendFileSync } from "node:fs";
import { registerHooks, syncBuiltinESMExports } from "node:module";

const { spawn } = childProcess;
const note = (text: string) => appendFileSync(process.env["LOADS_NOTED"]!, `${process.pid} ${text}\n`);

registerHooks({
  load(url, context, nextLoad) {
    note(url);
    return nextLoad(url, context);
  },
});
childProcess.spawn = ((...args: Parameters<typeof spawn>) => {
  note("spawn");
  return spawn(...args);
}) as typeof spawn;
syncBuiltinESMExports();
