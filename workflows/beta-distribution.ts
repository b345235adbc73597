/** Quantiles of the beta distribution, which its schedulers need. Method: continued fraction for the integral (Lentz), halving for its inverse. */

const LANCZOS: readonly number[] = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

function logGamma(x: number): number {
  const [first = 0, ...rest] = LANCZOS;
  const base = x + 6.5;
  const sum = rest.reduce((total, factor, index) => total + factor / (x + index), first);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(base) - base + Math.log(sum);
}

const PRECISION = 1e-15;
const HALVINGS = 200;

/** Share of the distribution below x. */
function shareBelow(x: number, alpha: number, beta: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges quickly on the left of the mean only.
  if (x > (alpha + 1) / (alpha + beta + 2)) return 1 - shareBelow(1 - x, beta, alpha);
  const scale = logGamma(alpha + beta) - logGamma(alpha) - logGamma(beta);
  const front = Math.exp(scale + alpha * Math.log(x) + beta * Math.log1p(-x)) / alpha;
  let [numerator, denominator] = [1, 1 - ((alpha + beta) * x) / (alpha + 1)];
  denominator = 1 / denominator;
  let fraction = denominator;
  for (let m = 1; m < HALVINGS; m++) {
    const even = (m * (beta - m) * x) / ((alpha + 2 * m - 1) * (alpha + 2 * m));
    denominator = 1 / (1 + even * denominator);
    numerator = 1 + even / numerator;
    fraction *= denominator * numerator;
    const odd = (-(alpha + m) * (alpha + beta + m) * x) / ((alpha + 2 * m) * (alpha + 2 * m + 1));
    denominator = 1 / (1 + odd * denominator);
    numerator = 1 + odd / numerator;
    const change = denominator * numerator;
    fraction *= change;
    if (Math.abs(change - 1) < PRECISION) break;
  }
  return front * fraction;
}

/**
 * @param share 0 to 1.
 * @param alpha above 0, as is beta.
 */
export function betaQuantile(share: number, alpha: number, beta: number): number {
  if (share <= 0) return 0;
  if (share >= 1) return 1;
  let [low, high] = [0, 1];
  while (high - low > PRECISION) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (shareBelow(middle, alpha, beta) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
