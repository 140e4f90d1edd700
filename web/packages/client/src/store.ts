import type { Frame } from "./protocol.js";
import { randomId } from "./requests.js";

/** A message that outlives the page. */
export interface Stored {
  id: string;
  /** Orders messages. */
  at: number;
  frame: Frame & { id: string };
}

/** Keeps messages until they are acknowledged. Where nothing can be kept it does nothing. */
export interface Store {
  put(item: Stored): void;
  delete(id: string): void;
  /** Leaves what is kept to whoever opens the store next. */
  close(): void;
}

interface Row extends Stored {
  scope: string;
  owner: string;
}

const table = "outbox";

/**
 * Opens the IndexedDB store of one user at one gateway.
 *
 * Each page owns what it has put there, and holds a Web Lock for as long as it lives. It waits
 * for the locks of all others that have left something, and takes over what is still there
 * when it gets one: after a reload at once, and when another tab is closed or crashes then.
 * So no two tabs ever send the same message. Where there are no Web Locks a page takes over
 * everything that it finds.
 *
 * @param restore gets each message that was taken over
 */
export function openStore(scope: string, restore: (item: Stored) => void): Store {
  const owner = randomId();
  const locks = (globalThis.navigator as Partial<Navigator> | undefined)?.locks;
  const closing = new AbortController();
  let release: () => void = () => undefined;

  const hold = (name: string, work: () => Promise<void>): void => {
    locks?.request(`ginforge-outbox:${name}`, { signal: closing.signal }, work).catch(() => undefined);
  };
  const held = new Promise<void>((resolve) => {
    if (!locks) resolve();
    hold(owner, () => {
      resolve();
      return new Promise((end) => (release = end));
    });
  });
  const database = held.then(
    () =>
      new Promise<IDBDatabase>((resolve, reject) => {
        const opening = indexedDB.open("ginforge-gateway", 1);
        opening.onupgradeneeded = () => opening.result.createObjectStore(table, { keyPath: "id" });
        opening.onsuccess = () => resolve(opening.result);
        opening.onerror = () => reject(new Error("opening failed", { cause: opening.error }));
      }),
  );

  const run = async <T>(work: (rows: IDBObjectStore) => IDBRequest<T>): Promise<T | undefined> => {
    try {
      const rows = (await database).transaction(table, "readwrite").objectStore(table);
      return await new Promise<T>((resolve, reject) => {
        const request = work(rows);
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(new Error("request failed", { cause: request.error }));
      });
    } catch {
      return undefined; // private windows, full disks: the queue is in memory all the same
    }
  };
  const others = async (): Promise<Row[]> =>
    ((await run((rows) => rows.getAll() as IDBRequest<Row[]>)) ?? []).filter(
      (r) => r.scope === scope && r.owner !== owner,
    );
  const closed = (): boolean => closing.signal.aborted;
  const adopt = async (from: string): Promise<void> => {
    // The oldest first: it may be sent before the next is read.
    for (const row of (await others()).sort((a, b) => a.at - b.at)) {
      if (row.owner !== from || closed()) continue;
      await run((rows) => rows.put({ ...row, owner }));
      // Whose it is may have gone meanwhile: then it is left to whoever opens the store next.
      if (!closed()) restore(row);
    }
  };

  void others().then((rows) => {
    for (const from of new Set(rows.map((row) => row.owner))) {
      if (locks) hold(from, () => adopt(from));
      else void adopt(from);
    }
  });

  return {
    put: (item) => void run((rows) => rows.put({ ...item, scope, owner })),
    delete: (id) => void run((rows) => rows.delete(id)),
    close() {
      closing.abort();
      release();
    },
  };
}
