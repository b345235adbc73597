import { defineConfig } from "vitest/config";

/** Of projects whose tests start the product. */
const BUILT_APP = "test/support/built-app.ts";
/** Of projects with a real broker, from Debian's packages. */
const RABBITMQ = "test/support/unpacked-rabbitmq.ts";
/** Files at a time, of tests that mostly wait for what a worker does by the clock. */
const WAITING = 6;

/** Projects: `unit` (no I/O), `integration` (real processes, sockets, S3), `contract` (what every platform keeps), `platforms` (each platform's protocol and faults), `conformance` (the engine's contract), `engine` (needs a real ComfyUI), `soak` (minutes of work under faults), `template` (what template.yaml deploys, and how it scales), `template-lint` (the same by AWS's validator and cfn-lint), `bundle` (the built image's files), `image` (the image itself, built and run). */
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
          globalSetup: BUILT_APP,
          maxWorkers: WAITING,
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "contract",
          root: ".",
          include: ["test/contract/**/*.test.ts"],
          globalSetup: [BUILT_APP, RABBITMQ],
          maxWorkers: WAITING,
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "platforms",
          root: ".",
          include: ["test/platforms/**/*.test.ts"],
          globalSetup: [BUILT_APP, RABBITMQ],
          maxWorkers: WAITING,
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 60_000,
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
          globalSetup: BUILT_APP,
          testTimeout: 120_000,
          hookTimeout: 300_000,
          // Each file starts a ComfyUI of its own, which keeps one core busy.
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: "soak",
          root: ".",
          include: ["test/soak/**/*.test.ts"],
          globalSetup: BUILT_APP,
          testTimeout: 600_000,
        },
      },
      { test: { name: "template", root: ".", include: ["test/template/*.test.ts"], testTimeout: 30_000 } },
      {
        test: { name: "template-lint", root: ".", include: ["test/template/lint/*.test.ts"], testTimeout: 300_000 },
      },
      {
        test: {
          name: "image",
          root: ".",
          include: ["test/image/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 1_200_000,
          fileParallelism: false,
        },
      },
      { test: { name: "bundle", root: ".", include: ["test/bundle/**/*.test.ts"], testTimeout: 60_000 } },
    ],
  },
});
