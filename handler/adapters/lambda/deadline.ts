/** How long an invocation may take, from a deadline that another machine's clock may have told. */

/** A clock that differs by less is the same one: `Date` has whole seconds, and the answer took its way. */
const SAME_CLOCK_MS = 5_000;
/** `Date` leaves out up to a second; rather too little time than too much. */
const DATE_STEP_MS = 1_000;
/** For interrupting the prompt and for telling Lambda; of less than three seconds, which is Lambda's default, a third. */
const MARGIN_MS = 1_000;

/** Node's timers hold no more, and would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Milliseconds that are left of an invocation's time, less what its answer needs; 0 when it is over. To be held on a monotonic clock.
 * @param deadline in milliseconds since 1970, by the clock of who told it.
 * @param date the `Date` header that came with it: that clock's time.
 */
export function remainingMs(deadline: number, date: string | undefined, now = Date.now()): number {
  const told = Date.parse(date ?? "");
  const isSkewed = Math.abs(now - told) > SAME_CLOCK_MS;
  const left = deadline - (isSkewed ? told + DATE_STEP_MS : now);
  return Math.min(LONGEST_MS, Math.max(0, Math.floor(left - Math.min(MARGIN_MS, left / 3))));
}
