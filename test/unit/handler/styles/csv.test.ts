import fc from "fast-check";
import { expect, test } from "vitest";
import { parseCsv } from "../../../../handler/styles/csv.ts";

/** Read by Python 3.11, csv.reader with skipinitialspace; rows of one empty field are left out here. */
const READ_BY_PYTHON: [string, string[][]][] = [
  [
    "a,b\nc,d",
    [
      ["a", "b"],
      ["c", "d"],
    ],
  ],
  ['a,"b, c"\n', [["a", "b, c"]]],
  ['"a ""q"" b",c\r\n', [['a "q" b', "c"]]],
  ["a, b", [["a", "b"]]],
  ['a,"x"y\n', [["a", "xy"]]],
  ["a\n\nb", [["a"], ["b"]]],
  ["a,", [["a", ""]]],
  ['"a\nb",c', [["a\nb", "c"]]],
  ['"open,\nb', [["open,\nb"]]],
  ["  ", []],
  ['a,"" \n', [["a", " "]]],
  ['x "y",z', [['x "y"', "z"]]],
  [' "p", "q"', [["p", "q"]]],
  ["a\rb", [["a"], ["b"]]],
  ['"a"\r\n"b"', [["a"], ["b"]]],
  ["\n\n", []],
  ['""', []],
  [
    "a,b,\n,,\n",
    [
      ["a", "b", ""],
      ["", "", ""],
    ],
  ],
  [",", [["", ""]]],
  ['"a""', [['a"']]],
  ['"', []],
  ['a"b"c', [['a"b"c']]],
  ['a\n ,",\n', [["a"], ["", ",\n"]]],
  [' ,"\n', [["", "\n"]]],
  ['\n" ,a\n', [[" ,a\n"]]],
  ['a ," bb\r\nb\r', [["a ", " bb\r\nb\r"]]],
  ['"b,\n b\n', [["b,\n b\n"]]],
  [' "ba,"\n ', [["ba,"]]],
  [' a,\n ""\r",', [["a", ""], [","]]],
  [
    '\r,b\n \n\n\r,"\n',
    [
      ["", "b"],
      ["", "\n"],
    ],
  ],
  ['",\r\na\nbb', [[",\r\na\nbb"]]],
  ['\n"" b,', [[" b", ""]]],
];

test.each(READ_BY_PYTHON)("%j is read as Python reads it", (text, rows) => {
  expect(parseCsv(text)).toEqual(rows);
});

test("any fields come back from quotes", () => {
  const rows = fc.array(fc.array(fc.string(), { minLength: 2 }));
  const quoted = (field: string) => `"${field.replaceAll('"', '""')}"`;
  fc.assert(
    fc.property(rows, (given) => {
      expect(parseCsv(given.map((row) => row.map(quoted).join(",")).join("\r\n"))).toEqual(given);
    }),
  );
});

test("a megabyte is read at once, whatever it is of", () => {
  for (const piece of ["a", '"', '""', ",", "\n", " ", '"a', '" "']) {
    const start = performance.now();
    parseCsv(piece.repeat(1e6 / piece.length));
    expect(performance.now() - start, piece).toBeLessThan(2_000);
  }
});
