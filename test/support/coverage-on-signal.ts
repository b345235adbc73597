/** Preloaded into a process under test: SIGUSR2 writes what ran since the last one to NODE_V8_COVERAGE. */
import { takeCoverage } from "node:v8";

process.on("SIGUSR2", takeCoverage);
