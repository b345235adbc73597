/** The project's Dockerfile, built where no registry of images can be reached. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../support/source-files.ts";
import { Buildah, type Volume } from "./buildah.ts";
import { makeAudioWheel } from "./comfyui.ts";
import { makeBases, packageSources } from "./stand-ins.ts";

export interface Build {
  target: string;
  /** Stages that the target only copies from. Named images of their own, their layers are found again by the next run. */
  stages: readonly string[];
  /** Build arguments. */
  args: Readonly<Record<string, string>>;
  /** Default: the project's folder. */
  context?: string;
  /** What the build reads besides. */
  volumes?: readonly Volume[];
}

export const imageName = (stage: string) => `localhost/comfy-endpoint-test:${stage}`;

/** Builds one of the Dockerfile's targets. @returns where it is, and its name. */
export async function buildImage({ target, stages, args, context = ROOT, volumes = [] }: Build) {
  const buildah = await Buildah.open();
  const scratch = await mkdtemp(join(tmpdir(), "comfy-endpoint-image-"));
  try {
    const [wheels, settings] = [join(scratch, "wheels"), join(scratch, "settings")] as const;
    for (const folder of [wheels, settings]) await mkdir(folder);
    await makeAudioWheel(wheels);
    const common = {
      context,
      args: { ...(await makeBases(buildah)), ...args },
      volumes: [...(await packageSources(settings, wheels)), ...volumes],
    };
    for (const stage of buildah.hasLayers ? [...stages, target] : [target])
      await buildah.build({ ...common, target: stage, image: imageName(stage) });
    await buildah.prune();
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return { buildah, image: imageName(target) };
}
