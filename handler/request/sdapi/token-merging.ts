/** A1111's token merging ratios (v1.10.1, get_token_merging_ratio in modules/processing.py). */
import type { Txt2ImgFields } from "./fields.ts";
import type { SdapiRequest } from "./parse.ts";

export interface TokenMerging {
  /** 0 to 1; 0: none. */
  first: number;
  /** Of hires fix; 0 without. */
  second: number;
}

/** Notes that the tokens are not A1111's: ComfyUI's node draws by lot which of four stays, and merges queries only. */
export function readTokenMerging({ fields, options, notes }: SdapiRequest): TokenMerging {
  const {
    token_merging_ratio: ratio = 0,
    token_merging_ratio_hr: hires,
    token_merging_ratio_img2img: img2img,
  } = options;
  const isOwn = Object.hasOwn(fields.override_settings ?? {}, "token_merging_ratio");
  const first = "init_images" in fields ? (isOwn && ratio) || img2img || ratio : ratio;
  const second = (fields as Partial<Txt2ImgFields>).enable_hr ? hires || ratio : 0;
  if (first > 0 || second > 0)
    notes.add("token_merging_ratio: ComfyUI chooses the tokens in its own way, so that details differ");
  return { first, second };
}
