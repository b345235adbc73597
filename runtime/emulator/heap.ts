/** Python's `heapq`: `GET /queue` shows the pending prompts in exactly this order. */

/** Orders two items; negative when the first runs first. */
type Compare<T> = (a: T, b: T) => number;

export function heapPush<T>(heap: T[], item: T, compare: Compare<T>): void {
  heap.push(item);
  siftDown(heap, 0, heap.length - 1, compare);
}

export function heapPop<T>(heap: T[], compare: Compare<T>): T | undefined {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return last;
  const first = heap[0];
  heap[0] = last;
  siftUp(heap, 0, compare);
  return first;
}

export function heapify<T>(heap: T[], compare: Compare<T>): void {
  for (let i = Math.floor(heap.length / 2) - 1; i >= 0; i--) siftUp(heap, i, compare);
}

function siftDown<T>(heap: T[], start: number, position: number, compare: Compare<T>): void {
  const item = heap[position] as T;
  while (position > start) {
    const parent = (position - 1) >> 1;
    if (compare(item, heap[parent] as T) >= 0) break;
    heap[position] = heap[parent] as T;
    position = parent;
  }
  heap[position] = item;
}

/** Moves the smaller child up until a leaf is reached, then the item back to its place. */
function siftUp<T>(heap: T[], start: number, compare: Compare<T>): void {
  const item = heap[start] as T;
  let position = start;
  for (let child = 2 * position + 1; child < heap.length; child = 2 * position + 1) {
    if (child + 1 < heap.length && compare(heap[child] as T, heap[child + 1] as T) >= 0) child += 1;
    heap[position] = heap[child] as T;
    position = child;
  }
  heap[position] = item;
  siftDown(heap, start, position, compare);
}
