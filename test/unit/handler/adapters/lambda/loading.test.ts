import { expect, test } from "vitest";
import { loadGraph } from "../../../../support/source-files.ts";

test("on Lambda neither the listener nor another platform is loaded, and no AWS library before it is needed", async () => {
  const graph = await loadGraph();
  const loaded = new Set(["handler/adapters/lambda/lambda.ts"]);
  for (const file of loaded) for (const { path, isLazy } of graph[file] ?? []) if (!isLazy) loaded.add(path);
  expect([...loaded]).toContain("handler/adapters/http/routes.ts");
  const foreign = [...loaded].filter(
    (path) =>
      /@aws-sdk|@hono\/node-server|adapters\/(?!lambda\/|messages\/|http\/)/.test(path) || path.endsWith("/server.ts"),
  );
  expect(foreign).toEqual([]);
});
