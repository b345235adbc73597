import { defineConfig } from "vitest/config";

/** Projects: `unit` (no I/O), `integration` (real processes, sockets, S3), `contract` (what every platform keeps), `platforms` (each platform's protocol and faults), `conformance` (the engine's contract), `engine` (needs a real ComfyUI), `soak` (minutes of work under faults), `bundle` (the built image's files), `image` (the image itself, built and run). */
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
      { test: { name: "soak", root: ".", include: ["test/soak/**/*.test.ts"], testTimeout: 600_000 } },
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
