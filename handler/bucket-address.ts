/** A bucket named by an address: `https://BUCKET.s3.REGION.amazonaws.com`, or `https://HOST/BUCKET`. */

export interface BucketAddress {
  bucket: string;
  /** Without the bucket. */
  endpoint: string;
  region?: string;
}

/** What follows the bucket in a host's name, with the region where it has one. */
const HOSTS = [
  /^(?<bucket>.+?)\.(?<host>s3[.-](?<region>[a-z]{2}-[a-z-]+-\d)\..+|s3\..+)$/,
  /^(?<bucket>.+?)\.(?<host>(?<region>[a-z0-9]+)\.digitaloceanspaces\.com)$/,
];

/** Undefined when there is no bucket in it. */
export function readBucketAddress(address: string): BucketAddress | undefined {
  const { protocol, host, pathname } = new URL(address);
  const [inPath] = pathname.split("/").filter(Boolean);
  if (inPath !== undefined) return { bucket: inPath, endpoint: `${protocol}//${host}` };
  const found = HOSTS.map((pattern) => pattern.exec(host)?.groups).find((groups) => groups !== undefined);
  if (found === undefined) return undefined;
  const { bucket, host: service, region } = found;
  return { bucket: bucket!, endpoint: `${protocol}//${service}`, ...(region !== undefined && { region }) };
}
