import type { Line } from "./talk.ts";

/** The lines of one conversation, as they are kept. */
interface Row {
  /** Whose they are, and with whom. */
  key: [me: string, peer: string];
  lines: readonly Line[];
}

/** What the browser keeps of direct conversations, which the gateway's inbox holds only for a while. */
export interface Kept {
  /** All conversations, by the other side. */
  all(): Promise<ReadonlyMap<string, readonly Line[]>>;
  put(peer: string, lines: readonly Line[]): void;
}

const table = "direct";

/** Opens what is kept for a user, in IndexedDB. Where nothing can be kept it is empty. */
export function keptOf(me: string): Kept {
  const database = new Promise<IDBDatabase>((resolve, reject) => {
    const opening = indexedDB.open("ginforge-demo", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(table, { keyPath: "key" });
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(new Error("opening failed", { cause: opening.error }));
  });
  const run = async <T>(
    mode: IDBTransactionMode,
    work: (rows: IDBObjectStore) => IDBRequest<T>,
  ): Promise<T | undefined> => {
    try {
      const rows = (await database).transaction(table, mode).objectStore(table);
      return await new Promise<T>((resolve, reject) => {
        const request = work(rows);
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(new Error("request failed", { cause: request.error }));
      });
    } catch {
      return undefined; // private windows, full disks: the page lives without
    }
  };
  return {
    async all() {
      const rows = await run("readonly", (store) => store.getAll() as IDBRequest<Row[]>);
      const mine = (rows ?? []).filter(({ key }) => key[0] === me);
      return new Map(mine.map(({ key, lines }) => [key[1], lines]));
    },
    put: (peer, lines) =>
      void run("readwrite", (store) => store.put({ key: [me, peer], lines } satisfies Row)),
  };
}
