/** CloudWatch's metric math, as far as the scaling alarms use it. */

/** A metric's value in one minute; undefined when there was none. */
export type Datapoints = Readonly<Record<string, number | undefined>>;

const TOKEN = /\s*(?:(\d+)|([A-Za-z]\w*)|([-+*/(),]))/y;

const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
};

/** @throws Error for what is not among the functions and operators that are known here, or a metric that is not there. */
export function evaluate(expression: string, metrics: Datapoints): number | undefined {
  const tokens = tokenize(expression);
  const take = (expected?: string): string => {
    const token = tokens.shift();
    if (token === undefined || (expected !== undefined && token !== expected))
      throw new Error(`${expected ?? "more"} is missing in ${expression}`);
    return token;
  };

  const sum = (): number | undefined => chain(product, ["+", "-"]);
  const product = (): number | undefined => chain(operand, ["*", "/"]);
  const chain = (part: () => number | undefined, operators: string[]): number | undefined => {
    let left = part();
    while (operators.includes(tokens[0] ?? "")) {
      const operator = ARITHMETIC[take()]!;
      const right = part();
      left = left === undefined || right === undefined ? undefined : operator(left, right);
    }
    return left;
  };
  const operand = (): number | undefined => {
    const token = take();
    if (/^\d/.test(token)) return Number(token);
    if (token === "(") return closed(sum());
    if (tokens[0] !== "(") return metric(token);
    take("(");
    const value = sum();
    if (token === "CEIL") return closed(value === undefined ? undefined : Math.ceil(value));
    if (token !== "FILL") throw new Error(`${token} is not known here`);
    take(",");
    const fallback = sum();
    return closed(value ?? fallback);
  };
  const closed = (value: number | undefined): number | undefined => {
    take(")");
    return value;
  };
  const metric = (name: string): number | undefined => {
    if (!(name in metrics)) throw new Error(`there is no metric ${name}`);
    return metrics[name];
  };

  const value = sum();
  if (tokens.length > 0) throw new Error(`${tokens.join(" ")} is too much in ${expression}`);
  return value;
}

function tokenize(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) throw new Error(`${text.slice(at)} is not metric math`);
    tokens.push((match[1] ?? match[2] ?? match[3])!);
  }
  return tokens;
}
