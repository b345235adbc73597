/** Safetensors files made by hand: a header that says what a test wants, and as many bytes of tensors as it likes. */

/** @param shapes by tensor name. */
export function safetensorsFile(
  shapes: Readonly<Record<string, readonly number[]>>,
  metadata: Readonly<Record<string, unknown>> = {},
  data = "",
): Buffer {
  const tensors = Object.entries(shapes).map(([name, shape]) => [
    name,
    { dtype: "F16", shape, data_offsets: [0, data.length] },
  ]);
  return withHeader(JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(tensors) }), data);
}

/** Any text as the header, with its true length or another. */
export function withHeader(header: string, data = "", length = BigInt(Buffer.byteLength(header))): Buffer {
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(length);
  return Buffer.concat([start, Buffer.from(header), Buffer.from(data)]);
}
