import { describe, expect, test } from "vitest";
import { encodePng } from "../../../../../handler/pictures/raster.ts";
import { gridOf, wantsGrid } from "../../../../../handler/request/sdapi/grid.ts";
import { parseSdapi, TXT2IMG } from "../../../../../handler/request/sdapi/parse.ts";
import { rejectionOf, thrownBy } from "../../../../support/thrown.ts";

const request = (override_settings: object, worker = {}) => parseSdapi(TXT2IMG, { override_settings }, worker);

describe("a grid", () => {
  test.each<[settings: object, worker: object, pictures: number, isWanted: boolean]>([
    [{}, {}, 4, false],
    [{ return_grid: true }, {}, 4, true],
    [{ return_grid: "true" }, {}, 2, true],
    [{ return_grid: true }, {}, 1, false],
    [{ return_grid: true, grid_only_if_multiple: false }, {}, 1, true],
    [{ return_grid: false }, {}, 4, false],
    // A1111's default, which clients set with all the others.
    [{}, { options: { return_grid: true } }, 4, false],
  ])("%j, on a worker with %j, of %i: %j", (settings, worker, pictures, isWanted) => {
    expect(wantsGrid(request(settings, worker), pictures)).toBe(isWanted);
  });

  test("that would be too large is refused, before and after its pictures are made", async () => {
    const asked = request({ return_grid: true });
    const large = { width: 2048, height: 2048 };
    const refused = thrownBy(() => gridOf(asked, { pictures: 17, batchSize: 1, size: large }));
    expect(refused.message).toBe("override_settings.return_grid: a grid of 17 such pictures is too large");
    const { compose } = gridOf(asked, { pictures: 16, batchSize: 1, size: large });
    const raster = { width: 8192, height: 4096, channels: 3 as const, data: Buffer.alloc(8192 * 4096 * 3) };
    const file = await encodePng(raster);
    expect((await rejectionOf(compose!([file, file, file]))).code).toBe("invalid_request");
  });
});
