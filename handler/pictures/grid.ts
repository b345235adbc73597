/** Several pictures as one: A1111's `images.image_grid`. */
import { blankRaster, pasteRaster, type Raster, toRgb } from "./raster.ts";

export interface GridOptions {
  /** Option `n_rows`: a number of rows, 0 for one per batch, -1 for as square as may be. */
  rows: number;
  batchSize: number;
  /** Option `grid_prevent_empty_spots`. */
  isWithoutGaps: boolean;
}

export function gridShape(count: number, options: GridOptions): { rows: number; columns: number } {
  const rows = Math.min(count, rowsOf(count, options));
  return { rows, columns: Math.ceil(count / rows) };
}

function rowsOf(count: number, { rows, batchSize, isWithoutGaps }: GridOptions): number {
  if (rows > 0) return rows;
  if (rows === 0) return batchSize;
  if (!isWithoutGaps) return Math.round(Math.sqrt(count));
  let fitting = Math.floor(Math.sqrt(count));
  while (count % fitting !== 0) fitting--;
  return fitting;
}

/** On white (option `grid_background_color`); cells have the size of the largest picture, and smaller ones stand in their middle. */
export function imageGrid(pictures: readonly Raster[], options: GridOptions): Raster {
  const { rows, columns } = gridShape(pictures.length, options);
  const width = Math.max(...pictures.map((picture) => picture.width));
  const height = Math.max(...pictures.map((picture) => picture.height));
  const grid = blankRaster({ width: columns * width, height: rows * height }, 3);
  grid.data.fill(255);
  for (const [index, picture] of pictures.entries()) {
    const left = (index % columns) * width + Math.floor((width - picture.width) / 2);
    const top = Math.floor(index / columns) * height + Math.floor((height - picture.height) / 2);
    pasteRaster(grid, toRgb(picture), left, top);
  }
  return grid;
}
