/** Noise levels (sigmas) over the model's time: the scaled-linear table that SD1, SD2 and SDXL were trained on. */

const BETA_FIRST = 0.00085;
const BETA_LAST = 0.012;
const TIMES = 1000;

const SCALED_LINEAR = ((): number[] => {
  const [first, last] = [Math.sqrt(BETA_FIRST), Math.sqrt(BETA_LAST)];
  let signal = 1;
  return Array.from({ length: TIMES }, (_, time) => {
    signal *= 1 - (first + (time / (TIMES - 1)) * (last - first)) ** 2;
    return Math.sqrt((1 - signal) / signal);
  });
})();

export class SigmaTable {
  /** Rising. */
  readonly sigmas: readonly number[];
  readonly last: number;

  constructor(sigmas: readonly number[]) {
    this.sigmas = sigmas;
    this.last = sigmas.length - 1;
  }

  get min(): number {
    return this.sigmas[0]!;
  }

  get max(): number {
    return this.sigmas[this.last]!;
  }

  /** Linear in the logarithm between two entries, as k-diffusion's; places beyond the ends are the ends. */
  sigmaAt(place: number): number {
    const low = Math.min(this.last, Math.max(0, Math.floor(place)));
    const high = Math.min(this.last, low + 1);
    const share = Math.max(0, place - low);
    return Math.exp(mix(share, Math.log(this.sigmas[low]!), Math.log(this.sigmas[high]!)));
  }

  /** The other way round. */
  placeOf(sigma: number): number {
    const above = this.sigmas.findIndex((other) => other >= sigma);
    if (above < 0) return this.last;
    if (above === 0) return 0;
    const [low, high] = [Math.log(this.sigmas[above - 1]!), Math.log(this.sigmas[above]!)];
    return above - 1 + (Math.log(sigma) - low) / (high - low);
  }
}

export const mix = (share: number, from: number, to: number): number => from + share * (to - from);

/** By time: 999 is pure noise, 0 the picture. */
export const SD_TABLE = new SigmaTable(SCALED_LINEAR);

/** Latent consistency models know every twentieth time only. */
const LCM_STRIDE = 20;
export const LCM_TABLE = new SigmaTable(SCALED_LINEAR.filter((_, time) => time % LCM_STRIDE === LCM_STRIDE - 1));

export const LAST_TIME = SD_TABLE.last;

/** Of 0 to 999; noise levels beyond the table's have the times of its ends. */
export const timeOf = (sigma: number): number => SD_TABLE.placeOf(sigma);

/** The nearest entry of the table, as A1111 looks it up: nearest by noise level. */
export function nearestTime(sigma: number): number {
  const time = timeOf(sigma);
  const [low, high] = [Math.floor(time), Math.ceil(time)];
  return sigma - SD_TABLE.sigmas[low]! <= SD_TABLE.sigmas[high]! - sigma ? low : high;
}
