import { defineConfig } from "vitest/config";

/** Projects: `unit` (no I/O), `integration` (real processes, sockets, S3), `contract` (what every platform keeps), `platforms` (each platform's protocol and faults), `conformance` (the engine's contract), `engine` (needs a real ComfyUI), `soak` (minutes of work under faults), `template` (what template.yaml deploys, and how it scales), `template-lint` (the same by AWS's validator and cfn-lint), `bundle` (the built image's files). */
export default defineConfig({
  test: {
    // On two cores: most of the time is spent waiting for processes to start, run and end.
    maxWorkers: 3,
    projects: [
      {
        test: {
          name: "unit",
          root: ".",
          include: ["test/unit/**/*.test.ts", "test/*.test.ts"],
          // Of properties, on a machine that does other things too.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "integration",
          root: ".",
          include: ["test/integration/**/*.test.ts"],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: "contract",
          root: ".",
          include: ["test/contract/**/*.test.ts"],
          // They wait more than they work.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: "platforms",
          root: ".",
          include: ["test/platforms/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: "conformance",
          root: ".",
          include: ["test/conformance/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "engine",
          root: ".",
          include: ["test/engine/**/*.test.ts", "test/integration/any-engine/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      { test: { name: "template", root: ".", include: ["test/template/*.test.ts"], testTimeout: 30_000 } },
      {
        test: { name: "template-lint", root: ".", include: ["test/template/lint/*.test.ts"], testTimeout: 300_000 },
      },
      { test: { name: "soak", root: ".", include: ["test/soak/**/*.test.ts"], testTimeout: 600_000 } },
      { test: { name: "bundle", root: ".", include: ["test/bundle/**/*.test.ts"], testTimeout: 60_000 } },
    ],
  },
});
