import { describe, expect, test } from "vitest";
import { describeOutput, encodeNative } from "../../../../handler/outputs/native-response.ts";
import { completed, output } from "../../../support/completed.ts";

const SHA256_OF_PIXELS = "6ec9c2b0eb14010746c8bce8939303b382344b296206612eb8a907a37b2b2f37";
const location = { bucket: "pictures", key: "outputs/id-1/1/a.png" };

test("an inline picture is described and carried as base64", () => {
  expect(encodeNative(completed([output()]))).toEqual({
    id: "id-1",
    status: "succeeded",
    outputs: [
      {
        node_id: "9",
        name: "a.png",
        type: "image",
        content_type: "image/png",
        size_bytes: 6,
        sha256: SHA256_OF_PIXELS,
        data: Buffer.from("pixels").toString("base64"),
      },
    ],
    cached_nodes: ["4"],
    timings_ms: { queued: 1, preparing: 2, running: 3, delivering: 4, total: 10 },
  });
});

describe("an output in a bucket", () => {
  test("is told by its place and link, and not carried", () => {
    const url = "https://pictures.example/a.png?X-Amz-Signature=x";
    const [described] = encodeNative(completed([output({ location: { ...location, url } })])).outputs;
    expect(described).toMatchObject({ ...location, url, size_bytes: 6, sha256: SHA256_OF_PIXELS });
    expect(described).not.toHaveProperty("data");
  });
});

describe("a text", () => {
  const text = output({ type: "text", name: "9-text.txt", contentType: "text/plain", bytes: Buffer.from("füß") });

  test.each([
    ["inline", text],
    ["in a bucket", { ...text, location }],
  ])("comes as text %s, its size in bytes", (_where, given) => {
    const [described] = encodeNative(completed([given])).outputs;
    expect(described).toMatchObject({ type: "text", text: "füß", size_bytes: 5 });
    expect(described).not.toHaveProperty("data");
  });
});

test("nothing produced is an empty list", () => {
  expect(encodeNative(completed([])).outputs).toEqual([]);
});

test("a description never carries bytes", () => {
  expect(Object.keys(describeOutput(output()))).toEqual([
    "node_id",
    "name",
    "type",
    "content_type",
    "size_bytes",
    "sha256",
  ]);
});
