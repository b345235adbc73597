/** The figures in `docs/platforms/costs.md` come of its formula. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const PAGE = readFileSync(new URL("../docs/platforms/costs.md", import.meta.url), "utf8");
const SECONDS: Record<string, number> = { h: 3600, min: 60, s: 1 };
/** As the page's text has them. */
const INVOCATION = 10;
const START = 60;

function seconds(text: string): number {
  const [, number, unit] = text.match(/(\d+) (h|min|s)$/)!;
  return Number(number) * SECONDS[unit!]!;
}

test("every cell of the table is what the formula gives", () => {
  const lines = PAGE.split("\n").filter((line) => /^\| (mean gap|\d+ (h|min|s)) \|/.test(line));
  const [head, ...rows] = lines.map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  const windows = head!.slice(1).map((name) => (name === "always on" ? Number.POSITIVE_INFINITY : seconds(name)));
  expect([rows.length, windows.length]).toEqual([5, 5]);
  for (const [gap, ...cells] of rows) {
    const g = seconds(gap!);
    const computed = windows.map((idle) => {
      const cold = Math.exp(-idle / g);
      return `${Math.round(INVOCATION + START * cold + g * (1 - cold))} s, ${Math.round(100 * cold)} %`;
    });
    expect(cells, gap).toEqual(computed);
  }
});
