import { describe, expect, test } from "vitest";
import { gridShape, imageGrid } from "../../../../handler/pictures/grid.ts";
import golden from "../../../fixtures/sdapi/geometry.json" with { type: "json" };
import { pixelAt, solid } from "../../../support/rasters.ts";

describe("a grid has A1111's shape: pictures, batch size, n_rows, grid_prevent_empty_spots", () => {
  const cases = golden.grid as [number, number, number, boolean, number, number][];
  test.each(cases)("%d, %d, %d, %s", (count, batchSize, rows, isWithoutGaps, expectedRows, columns) => {
    expect(gridShape(count, { batchSize, rows, isWithoutGaps })).toEqual({ rows: expectedRows, columns });
  });
});

test("pictures of different sizes stand in the middle of their cells, on white", () => {
  const { sizes, grid, probes } = golden.grid_mixed;
  const pictures = sizes.map(([width, height], index) => solid(width!, height!, Array(3).fill(index + 1)));
  const result = imageGrid(pictures, { batchSize: 1, rows: -1, isWithoutGaps: false });
  expect([result.width, result.height]).toEqual(grid);
  expect((probes as [number, number, number[]][]).map(([x, y]) => [x, y, pixelAt(result, x, y)])).toEqual(probes);
});
