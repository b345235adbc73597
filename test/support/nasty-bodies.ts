/** JSON bodies that no client should send, for property tests. */
import fc from "fast-check";
import { type Field, IMG2IMG_FIELDS, type Kind, TXT2IMG_FIELDS } from "../../handler/request/sdapi/fields.ts";

type Pool = readonly unknown[];
const FIELDS = { ...TXT2IMG_FIELDS, ...IMG2IMG_FIELDS };

const LONG = "(".repeat(300);
const DEEP = Array.from({ length: 400 }).reduce<unknown>((inside) => ({ a: [inside] }), {});

const NUMBERS: Pool = [
  ...[0, -1, 1, 2, 3.5, 0.1, -0, 1e300, -1e300, 5e-324, 2 ** 53, 2 ** 63, 12.9, 99_999],
  ...["3", " 4 ", "12.5", "1e2", "1e400", "NaN", "nan", "-inf", "Infinity", "99999999999999999999", "٣", "0x10", ""],
];
const TEXTS: Pool = [
  ...[
    "",
    "string",
    "None",
    "\ud800",
    "a\udfffb",
    "\u0000",
    "😀é",
    LONG,
    "\\",
    "a\r\nb",
    "-1",
    "[object Object]",
    "__proto__",
  ],
  ...[
    "[a:b:0.5]",
    "[a|b|]",
    "[a:1e9]",
    "[[[[",
    "a AND b:-1 AND :1",
    "AND AND",
    "BREAK BREAK",
    "(a:1.2.3)",
    "(a:1e400)",
    "# x",
  ],
  ...["<lora:tiny-lora:1e400>", "<lora:tiny-lora:nan>", "<lora::>", "<lora:../../etc:1>", "<a:b>", "embedding:nope"],
  ...["Euler a", "DPM++ 2M Karras", "Karras", "Latent", "Lanczos", "tiny-2x", "tiny-sd15", "DDIM", "UniPC"],
  ...["Steps: 3, Sampler: Euler, Size: 99999x-1, Seed: nan", "a\nSteps: 1, Sampler: Restart, CFG scale: inf"],
];
const PICTURES: Pool = [
  ...[
    "",
    "garbage",
    "!!!!",
    "data:",
    "data:image/png;base64",
    "data:image/png;base64,",
    "http://127.0.0.1/x.png",
    "file:///etc/passwd",
  ],
  ...[
    "aGVsbG8=",
    "iVBORw0KGgo=",
    "iVBORw0KGgoAAAANSUhEUgAA",
    "R0lGODlhAQABAIAAAP///wAAACH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==",
  ],
];
const OTHERS: Pool = [null, true, false, [], {}, [[]], [null], [{}], { a: 1 }, DEEP, [["a", 1]]];

/** A 1x1 GIF is a picture. */
const PICTURE = "R0lGODlhAQABAIAAAP///wAAACH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==";

/** Any JSON, and what is hard to read among it. */
const anyValue = fc.oneof(
  fc.constantFrom(...NUMBERS, ...TEXTS, ...PICTURES, ...OTHERS),
  fc.jsonValue({ maxDepth: 4 }),
  fc.string({ unit: "binary" }),
);

const dictionary = (names: Pool) =>
  fc.dictionary(fc.oneof(fc.constantFrom(...(names as string[])), fc.string()), anyValue, { maxKeys: 4 });

const SCRIPTS = ["controlnet", "ControlNet", "ADetailer", "Refiner", "Soft inpainting", "X/Y/Z plot", "__proto__"];
const OPTIONS = [
  ...[
    "sd_model_checkpoint",
    "sd_vae",
    "CLIP_stop_at_last_layers",
    "samples_format",
    "jpeg_quality",
    "eta_noise_seed_delta",
  ],
  ...[
    "randn_source",
    "return_grid",
    "emphasis",
    "img2img_fix_steps",
    "img2img_background_color",
    "upscaler_for_img2img",
  ],
];
const unit = dictionary([
  "enabled",
  "module",
  "model",
  "image",
  "weight",
  "resize_mode",
  "guidance_start",
  "control_mode",
]);
const scripts = fc.dictionary(
  fc.constantFrom(...SCRIPTS),
  fc.oneof(fc.record({ args: fc.array(fc.oneof(unit, anyValue), { maxLength: 3 }) }), anyValue),
  { maxKeys: 2 },
);

const picture = fc.oneof({ weight: 4, arbitrary: fc.constant(PICTURE) }, fc.constantFrom(...PICTURES));

/** What fits a field at times. */
const FITTING: Record<string, fc.Arbitrary<unknown>> = {
  alwayson_scripts: scripts,
  override_settings: dictionary(OPTIONS),
  init_images: fc.array(picture, { minLength: 1, maxLength: 2 }),
  mask: picture,
  image: picture,
  imageList: fc.array(fc.record({ data: picture, name: anyValue }), { maxLength: 2 }),
};

/** What passes pydantic, by type. */
const BY_TYPE: Record<Kind, fc.Arbitrary<unknown>> = {
  text: fc.constantFrom(...TEXTS),
  integer: fc.oneof(fc.integer({ min: -1, max: 130 }), fc.constantFrom("3", " 4 ", 12.9, true, 1e300, 2 ** 63, "-1")),
  float: fc.oneof(
    fc.double({ min: 0, max: 2, noNaN: true }),
    fc.constantFrom("0.5", -1, 1e300, 5e-324, "1e2", "inf", "nan"),
  ),
  boolean: fc.constantFrom(true, false, "on", 0, "no"),
  object: dictionary(OPTIONS),
  list: fc.array(anyValue, { maxLength: 3 }),
  texts: fc.array(fc.constantFrom(...TEXTS), { maxLength: 3 }),
};

function fitting(name: string): fc.Arbitrary<unknown> {
  const field = (FIELDS as Record<string, Field>)[name];
  return FITTING[name] ?? (field ? BY_TYPE[field.type.replace("!", "") as Kind] : anyValue);
}

/** Most values fit, as a body is refused for the first that does not. */
const bodyOf = (names: readonly string[]) =>
  fc
    .uniqueArray(fc.constantFrom(...names), { maxLength: 8 })
    .chain((chosen) =>
      fc.record(
        Object.fromEntries(
          chosen.map((name) => [
            name,
            fc.oneof({ weight: 12, arbitrary: fitting(name) }, { weight: 1, arbitrary: anyValue }),
          ]),
        ),
      ),
    );

const EXTENSIONS = ["clip_skip", "loras", "distilled_cfg_scale"];
const EXTRAS = [
  ...["resize_mode", "show_extras_results", "gfpgan_visibility", "codeformer_visibility", "codeformer_weight"],
  ...["upscaling_resize", "upscaling_resize_w", "upscaling_resize_h", "upscaling_crop", "upscaler_1", "upscaler_2"],
  ...["extras_upscaler_2_visibility", "upscale_first", "image", "imageList"],
];

/** Fields of A1111's requests, route by route, with values that fit or do not. */
export const NASTY_BODIES: Readonly<Record<string, fc.Arbitrary<Record<string, unknown>>>> = {
  txt2img: bodyOf([...Object.keys(TXT2IMG_FIELDS), ...EXTENSIONS]),
  img2img: bodyOf([...Object.keys(IMG2IMG_FIELDS), ...EXTENSIONS]).map((body) => ({ init_images: [PICTURE], ...body })),
  "extra-single-image": bodyOf(EXTRAS),
  "extra-batch-images": bodyOf(EXTRAS),
  "png-info": bodyOf(["image"]),
  options: dictionary(OPTIONS) as fc.Arbitrary<Record<string, unknown>>,
};

/** Documents that are no JSON, or JSON that is hard to read. */
export const NASTY_DOCUMENTS: readonly string[] = [
  ...["", " ", "null", "[]", "{}", "5", '"x"', "{", "[1,]", "{'a':1}", "\ufeff{}", "NaN", "nul", "\0", "{}{}"],
  ...['{"steps":1e999}', '{"steps":-Infinity}', '{"cfg_scale":NaN}', '{"seed":1e400}', `{"seed":${"9".repeat(5000)}}`],
  ...[
    '{"prompt":"\\ud800"}',
    '{"prompt":"\\u0000"}',
    '{"a":1,"a":2}',
    '{"__proto__":{"steps":1}}',
    '{"constructor":1}',
  ],
  ...[
    "[".repeat(100_000),
    '{"a":'.repeat(50_000),
    `${"[".repeat(50_000)}${"]".repeat(50_000)}`,
    "[[1,2]]",
    "1".repeat(10_000),
  ],
  ...[
    `{"prompt":${"[".repeat(3000)}${"]".repeat(3000)}}`,
    `{"override_settings":${'{"a":'.repeat(3000)}1${"}".repeat(3000)}}`,
  ],
];
