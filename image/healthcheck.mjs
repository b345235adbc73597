/** Exits with 0 while the endpoint of this container lives: for HEALTHCHECK, compose and ECS, which ask a command. */
const { PORT = "3000" } = process.env;

try {
  const { ok } = await fetch(`http://127.0.0.1:${PORT}/health`, { signal: AbortSignal.timeout(4000) });
  process.exitCode = ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
