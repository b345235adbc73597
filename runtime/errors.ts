/** The one table of error codes, the one error class, and the one way an error becomes JSON. */

interface ErrorKind {
  httpStatus: number;
  /** Whether the same invocation may succeed when it is sent again, to this worker or another. */
  retryable: boolean;
  /** When it is raised; the README's table shows it. */
  meaning: string;
}

export const ERRORS = {
  invalid_json: { httpStatus: 400, retryable: false, meaning: "the body is not JSON" },
  invalid_request: {
    httpStatus: 422,
    retryable: false,
    meaning: "a field is missing, unknown, or has the wrong type or value",
  },
  invalid_workflow: {
    httpStatus: 422,
    retryable: false,
    meaning: "the graph cannot run: links, class types, inputs (the details name each node)",
  },
  workflow_format_ui: {
    httpStatus: 422,
    retryable: false,
    meaning: "the editor's own format was sent; export in API format",
  },
  unknown_model: { httpStatus: 422, retryable: false, meaning: "no such checkpoint, VAE, LoRA ... on this worker" },
  unknown_sampler: { httpStatus: 422, retryable: false, meaning: "no such sampler or scheduler" },
  unsupported_feature: {
    httpStatus: 422,
    retryable: false,
    meaning: "a field of the imitated API that cannot be honoured here",
  },
  unauthorized: { httpStatus: 401, retryable: false, meaning: "the bearer token is missing or wrong" },
  not_found: { httpStatus: 404, retryable: false, meaning: "no such route or object" },
  id_conflict: { httpStatus: 409, retryable: false, meaning: "the id was used before for another request" },
  payload_too_large: { httpStatus: 413, retryable: false, meaning: "the body is above the limit" },
  queue_full: { httpStatus: 429, retryable: true, meaning: "as many invocations wait as may wait" },
  not_ready: {
    httpStatus: 503,
    retryable: true,
    meaning: "the engine is not serving and will not within the invocation's time",
  },
  draining: { httpStatus: 503, retryable: true, meaning: "this worker is shutting down" },
  comfyui_start_failed: {
    httpStatus: 503,
    retryable: true,
    meaning: "ComfyUI did not start; its last log lines are in the details",
  },
  warm_up_failed: { httpStatus: 503, retryable: true, meaning: "the warm-up graph failed" },
  comfyui_exited: {
    httpStatus: 502,
    retryable: true,
    meaning: "ComfyUI died, or lost the prompt, while it worked on the invocation",
  },
  comfyui_unreachable: { httpStatus: 502, retryable: true, meaning: "ComfyUI does not answer" },
  execution_error: {
    httpStatus: 500,
    retryable: false,
    meaning: "a node raised an exception; node, class and exception are in the details",
  },
  out_of_memory: {
    httpStatus: 500,
    retryable: true,
    meaning: "the GPU's memory did not suffice, also after it was freed and the prompt tried again",
  },
  deadline_exceeded: {
    httpStatus: 504,
    retryable: false,
    meaning: "the time limit passed; the prompt was interrupted",
  },
  cancelled: {
    httpStatus: 499,
    retryable: false,
    meaning: "the caller cancelled or went away; the prompt was interrupted",
  },
  no_outputs: { httpStatus: 500, retryable: false, meaning: "nothing was produced where a picture was due" },
  output_too_large: {
    httpStatus: 500,
    retryable: false,
    meaning: "the outputs are too large to return inline and no bucket is configured",
  },
  output_missing: { httpStatus: 500, retryable: true, meaning: "ComfyUI named an output that cannot be read" },
  upload_failed: { httpStatus: 502, retryable: true, meaning: "an output could not be stored, after all retries" },
  download_failed: { httpStatus: 502, retryable: true, meaning: "an object cannot be read from its bucket" },
  crash_loop: {
    httpStatus: 500,
    retryable: false,
    meaning: "ComfyUI died each time that it worked on the invocation, which is not tried again",
  },
  lease_lost: {
    httpStatus: 503,
    retryable: true,
    meaning: "the queue gave the message to another worker, or may do so; the prompt was interrupted",
  },
  submit_failed: { httpStatus: 502, retryable: true, meaning: "`submit`: the queue does not take the message" },
  result_pending: {
    httpStatus: 504,
    retryable: true,
    meaning: "`submit`: no result within the time to wait; the work goes on, and the same id asks for it again",
  },
  internal: { httpStatus: 500, retryable: false, meaning: "a fault of this program" },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

export class EndpointError extends Error {
  override readonly name = "EndpointError";
  readonly code: ErrorCode;
  /** JSON-safe facts for the caller. */
  readonly details: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, message: string, options: { details?: Record<string, unknown>; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details;
  }

  get httpStatus(): number {
    return ERRORS[this.code].httpStatus;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }
}

/** Any thrown value as an EndpointError; what is not one becomes `internal`, its text kept as the cause for the log alone. */
export function toEndpointError(thrown: unknown): EndpointError {
  if (thrown instanceof EndpointError) return thrown;
  return new EndpointError("internal", "an internal error occurred; the log has the cause", { cause: thrown });
}

export interface ErrorBody {
  error: {
    code: ErrorCode;
    message: string;
    retryable: boolean;
    details?: Record<string, unknown>;
    invocation_id?: string;
  };
}

/** The only serialiser of errors; dialects that answer in another shape start from it. */
export function toErrorBody(error: EndpointError, invocationId?: string): ErrorBody {
  return {
    error: {
      code: error.code,
      message: error.message,
      retryable: error.retryable,
      ...(error.details && { details: error.details }),
      ...(invocationId !== undefined && { invocation_id: invocationId }),
    },
  };
}
