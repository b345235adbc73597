/** CloudWatch's metric math, as far as the scaling alarms use it: one value at a time, undefined where there is none. */

/** By the ids of an alarm's metrics and expressions. */
export type Lookup = (id: string) => number | undefined;

type Operation = (a: number, b: number) => number;

/** From the loosest to the tightest. */
const OPERATORS: readonly Readonly<Record<string, Operation>>[] = [
  { ">": (a, b) => Number(a > b) },
  { "+": (a, b) => a + b, "-": (a, b) => a - b },
  { "*": (a, b) => a * b, "/": (a, b) => a / b },
];

const FUNCTIONS: Readonly<Record<string, (...values: (number | undefined)[]) => number | undefined>> = {
  CEIL: (value) => (value === undefined ? undefined : Math.ceil(value)),
  FILL: (value, fallback) => value ?? fallback,
  IF: (condition, yes, no) => (condition === undefined ? undefined : condition ? yes : no),
};

const TOKEN = /\s*(?:(\d+)|([A-Za-z]\w*)|([-+*/(),>]))/y;

/** @throws Error for what is not known here. */
export function evaluate(expression: string, lookUp: Lookup): number | undefined {
  const tokens = tokenize(expression);
  const take = (expected?: string): string => {
    const token = tokens.shift();
    if (token === undefined || (expected !== undefined && token !== expected))
      throw new Error(`${expected ?? "more"} is missing in ${expression}`);
    return token;
  };

  const value = (level = 0): number | undefined => {
    const operators = OPERATORS[level];
    if (!operators) return operand();
    let left = value(level + 1);
    while ((tokens[0] ?? "") in operators) {
      const operation = operators[take()]!;
      const right = value(level + 1);
      left = left === undefined || right === undefined ? undefined : operation(left, right);
    }
    return left;
  };
  const operand = (): number | undefined => {
    const token = take();
    if (/^\d/.test(token)) return Number(token);
    if (token === "(") return list()[0];
    if (tokens[0] !== "(") return lookUp(token);
    take("(");
    const call = FUNCTIONS[token];
    if (!call) throw new Error(`${token} is not known here`);
    return call(...list());
  };
  /** Up to the closing bracket. */
  const list = (): (number | undefined)[] => {
    const values = [value()];
    while (tokens[0] === ",") {
      take(",");
      values.push(value());
    }
    take(")");
    return values;
  };

  const result = value();
  if (tokens.length > 0) throw new Error(`${tokens.join(" ")} is too much in ${expression}`);
  return result;
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
