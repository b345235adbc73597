/** The sampler nodes: they paint a picture in as many steps as the real ones take. */
import sharp from "sharp";
import {
  type Conditioning,
  type Described,
  fingerprint,
  type Guider,
  type Latent,
  type PictureNoise,
  type Sigmas,
} from "./diffusion-values.ts";
import { effectful, type Inputs } from "./inputs.ts";
import { type ImageBatch, type MaskBatch, type NodeContext, NodeError, type NodeImplementation } from "./node.ts";
import { paint } from "./paint.ts";
import { batchSlice, concatBatch, imageOf, mapValues, rasterOf, repeatToBatch, toBytes } from "./raster.ts";
import { resize } from "./resample.ts";

const PREVIEW_SIZE = 512;

interface Sampling {
  /** Fingerprint of model, sampler, scheduler and their settings. */
  engine: string;
  /** Of the model. */
  mask?: MaskBatch | undefined;
  positive: Conditioning;
  negative: Conditioning | undefined;
  cfg: number;
  /** Decimal digits, `none` for no noise; or one for each picture of the batch. */
  seed: string | string[];
  steps: number;
  denoise: number;
  latent: Latent;
}

/** Runs the steps and returns the drawn latent: an init picture shines through as denoise falls, and stays outside the noise mask. */
async function sample(sampling: Sampling, context: NodeContext): Promise<Latent> {
  const { latent, steps, denoise, positive } = sampling;
  if (steps < 1) return latent;
  const painted = paintBatch(sampling);
  for (let step = 1; step <= steps; step++) {
    await context.progress(step, steps, () => preview(painted, step / steps));
  }
  const opacity = latent.empty ? 1 : denoise ** 2;
  const given = latent.noiseMask ?? sampling.mask;
  const mask =
    given && repeatToBatch(resize(rasterOf(given), painted.width, painted.height, "bilinear"), painted.batch);
  const { data: init } = latent.samples;
  const samples = mapValues(painted, (value, index) => {
    const share = opacity * (mask?.data[Math.floor(index / 3)] ?? 1);
    return share === 0 ? init[index]! : init[index]! * (1 - share) + value * share;
  });
  const { label: _, ...rest } = latent;
  const whole = !mask && (latent.empty || denoise >= 0.5);
  return { ...rest, samples, empty: false, ...(whole && { label: positive.text }) };
}

function paintBatch({ latent, positive, negative, cfg, engine, seed, steps, denoise }: Sampling): ImageBatch {
  const { width, height } = latent.samples;
  // With a cfg of 1 the real samplers do not look at the negative prompt.
  const against = negative && cfg !== 1 ? negative.fingerprint : "none";
  const pictures = latent.batchIndex.map((index, picture) =>
    paint(
      {
        subject: positive.fingerprint,
        seed: typeof seed === "string" ? `${seed} ${index}` : seed[picture]!,
        details: fingerprint(engine, against, cfg, steps, denoise, width, height),
        cfg,
        hints: positive.hints,
      },
      width,
      height,
    ),
  );
  return imageOf(concatBatch(pictures as [ImageBatch, ...ImageBatch[]]));
}

/** The first picture of the batch as a JPEG whose longest side is 512, coming out of a grey as the steps go by. */
async function preview(painted: ImageBatch, progress: number): Promise<Buffer> {
  const shrink = PREVIEW_SIZE / Math.max(painted.width, painted.height);
  const first = mapValues(batchSlice(painted, 0, 1), (value) => 0.5 + (value - 0.5) * progress);
  const size = {
    width: Math.max(1, Math.round(painted.width * shrink)),
    height: Math.max(1, Math.round(painted.height * shrink)),
  };
  const raw = { width: painted.width, height: painted.height, channels: 3 as const };
  return sharp(toBytes(first), { raw })
    .resize({ ...size, fit: "fill" })
    .jpeg({ quality: 85 })
    .toBuffer();
}

const digits = (seed: unknown) => String(typeof seed === "object" ? JSON.stringify(seed) : seed);

const kSampler = effectful(async (inputs, context) => {
  const steps = inputs.number("steps", 20);
  const denoise = inputs.number("denoise", 1);
  const drawn = await sample(
    { ...commonOf(inputs, "seed"), steps: denoise > 0 ? steps : 0, denoise, latent: inputs.value("latent_image") },
    context,
  );
  return { outputs: [drawn] };
});

const kSamplerAdvanced = effectful(async (inputs, context) => {
  const steps = inputs.number("steps", 20);
  const start = inputs.number("start_at_step");
  const end = Math.min(steps, inputs.number("end_at_step", steps));
  const common = commonOf(inputs, "noise_seed");
  const drawn = await sample(
    {
      ...common,
      seed: inputs.text("add_noise") === "disable" ? "none" : common.seed,
      steps: Math.max(0, end - start),
      denoise: 1 - start / steps,
      latent: inputs.value("latent_image"),
    },
    context,
  );
  return { outputs: [drawn] };
});

function commonOf(inputs: Inputs, seed: string) {
  const model = inputs.value<Described>("model");
  return {
    engine: fingerprint(model, inputs.text("sampler_name"), inputs.text("scheduler")),
    mask: model.mask,
    positive: inputs.value<Conditioning>("positive"),
    negative: inputs.value<Conditioning>("negative"),
    cfg: inputs.number("cfg", 8),
    seed: digits(inputs.raw[seed]),
  };
}

const samplerCustom = effectful(async (inputs, context) => {
  const sigmas = inputs.value<Sigmas>("sigmas");
  const drawn = await sample(
    {
      ...commonOf(inputs, "noise_seed"),
      engine: fingerprint(inputs.value("model"), inputs.value("sampler"), sigmas),
      steps: sigmas.steps,
      denoise: sigmas.denoise,
      latent: inputs.value("latent_image"),
    },
    context,
  );
  return { outputs: [drawn, drawn] };
});

const samplerCustomAdvanced = effectful(async (inputs, context) => {
  const sigmas = inputs.value<Sigmas>("sigmas");
  const guider = inputs.value<Guider>("guider");
  const noise = inputs.value<Described | PictureNoise>("noise");
  const latent = inputs.value<Latent>("latent_image");
  if ("pictures" in noise && noise.pictures.length !== latent.batchIndex.length)
    throw new NodeError("ValueError", `${noise.pictures.length} seeds for a batch of ${latent.batchIndex.length}`);
  const drawn = await sample(
    {
      engine: fingerprint(guider, inputs.value("sampler"), sigmas),
      mask: guider.mask,
      positive: guider.positive,
      negative: guider.negative,
      cfg: guider.cfg,
      seed: "pictures" in noise ? noise.pictures : noise.fingerprint,
      steps: sigmas.steps,
      denoise: sigmas.denoise,
      latent,
    },
    context,
  );
  return { outputs: [drawn, drawn] };
});

export const SAMPLING: Record<string, NodeImplementation> = {
  KSampler: kSampler,
  KSamplerAdvanced: kSamplerAdvanced,
  SamplerCustom: samplerCustom,
  SamplerCustomAdvanced: samplerCustomAdvanced,
};
