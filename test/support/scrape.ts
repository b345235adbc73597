/** `/metrics` as Prometheus would read it. */

/** Values by their series, written as in the text: `name{label="value"}`. @throws Error where a line is none. */
export async function scrape(url: string): Promise<Record<string, number>> {
  const response = await fetch(`${url}/metrics`);
  if (!response.ok) throw new Error(`/metrics answers ${response.status}`);
  return seriesIn(await response.text());
}

export function seriesIn(text: string): Record<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line) => {
      const [, series, value] = line.match(/^([a-z_]+(?:\{[^}]*\})?) (\S+)$/) ?? [];
      if (series === undefined) throw new Error(`this is no sample: ${line}`);
      return [series, Number(value)];
    }),
  );
}
